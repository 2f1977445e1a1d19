// Messages as prototxt, as compact as people write it: a message stands on one line where it fits
// 100 columns, else it is opened over several; numbers have the fewest digits that read back as the
// same number. parse_text (positions.h) reads it back to an equal message.
#pragma once
#include <string>

namespace google::protobuf {
class Message;
}

namespace orepa {

// The lines of a text, each behind a "# ".
std::string comment_lines(const std::string& comment);

// `comment`: lines that go in front, as comment_lines() has them.
std::string print_text(const google::protobuf::Message& message, const std::string& comment = "");

}  // namespace orepa
