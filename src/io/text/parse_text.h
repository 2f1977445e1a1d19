// A text in protobuf's text format, parsed, with errors that say where and what may have been
// meant.
#pragma once
#include <string>

#include "core/positions.h"

namespace orepa {

// `content` without the mark that some editors put in front of UTF-8. Throws Error for UTF-16.
std::string without_mark(const std::string& content, const std::string& file);
// Throws Error where a text is larger than any net: 16 MiB, 200,000 messages.
void require_bounded(const std::string& content, const std::string& file);
// Of messages in messages: more than any net has, and far from where the parser's recursion would
// exhaust the stack.
constexpr int kDeepestMessage = 100;
// Parses `text` into `message`. Throws Error that names file, line, column (nothing of them where
// `file` is empty) and, for an unknown name, the nearest known one; and where the text is not
// bounded or a name has more than 4096 bytes.
void parse_text(const std::string& text, const std::string& file,
                google::protobuf::Message& message, Positions& positions);

}  // namespace orepa
