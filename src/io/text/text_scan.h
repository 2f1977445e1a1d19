// Where the fields of a text in protobuf's text format stand, and which of them its message does
// not have. Found without parsing values, so that a text with fields of other programs can be taken
// apart before it is parsed.
#pragma once
#include <string>
#include <vector>

namespace google::protobuf {
class Descriptor;
}

namespace orepa {

struct TextField {
  std::string name;
  size_t begin, end;  // of the name, and behind the value and the separator that may follow it
};

struct UnknownText {
  size_t begin, end;  // of the whole field
  int line, column;   // from 0
  std::string what;   // as parse_text() would say it
};

struct TextScan {
  std::vector<TextField> fields;  // of the outermost message
  // Fields that their message does not have and fields with an enum's value that it does not have,
  // on every level, in order; not those inside of others.
  std::vector<UnknownText> unknown;
};

// Where the text is malformed, the scan ends, and parse_text() says what is wrong. Throws Error
// where it is no sequence of tokens.
TextScan scan_text(const std::string& content, const std::string& file,
                   const google::protobuf::Descriptor& root);

// Puts blanks in place of a part; lines and columns of all else stay what they were.
void blank_out(std::string& content, size_t begin, size_t end);
// The text with blanks where unknown fields stand: for parse_text(), with every place as it was.
std::string known_text(const std::string& content, const TextScan& scan);
// "net.prototxt:39:5"
std::string place_of(const UnknownText& unknown, const std::string& file);

}  // namespace orepa
