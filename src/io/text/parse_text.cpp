#include "io/text/parse_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>

#include <algorithm>
#include <vector>

#include "io/text/cursor.h"
#include "io/text/unknown_names.h"
#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;

// What stands in quotation marks, in order.
std::vector<std::string> quoted(const std::string& message) {
  std::vector<std::string> parts;
  for (size_t open = message.find('"'); open != std::string::npos;) {
    const size_t close = message.find('"', open + 1);
    if (close == std::string::npos) break;
    parts.push_back(message.substr(open + 1, close - open - 1));
    open = message.find('"', close + 1);
  }
  return parts;
}

struct Diagnosis {
  std::string what;
  // What the parser had read already when it found the error: that is where the error is. Empty
  // where the parser points at the right place itself.
  std::string culprit;
};

// Adds the remedy to the parser's message about an unknown field or enum value in a `root`.
Diagnosis diagnose(const std::string& message, const pb::Descriptor& root) {
  const std::vector<std::string> parts = quoted(message);
  const auto says = [&](const char* part) { return message.find(part) != std::string::npos; };
  if (parts.size() == 2 && says("has no field named")) {
    const pb::Descriptor* type = root.file()->pool()->FindMessageTypeByName(parts[0]);
    if (type != nullptr) return {unknown_field(*type, parts[1]), parts[1]};
  }
  if (parts.size() == 2 && says("Unknown enumeration value"))
    return {unknown_value(root, parts[1], parts[0]), parts[0]};
  if (!parts.empty() && (says("Invalid value for boolean") || says("specified multiple times")))
    return {message, parts.back()};
  return {message, ""};
}

// Moves a place from behind `word` to its start, across white space and comments.
void back_to(const std::string& word, const std::string& content, int& line, int& column) {
  Cursor behind(content);
  behind.advance_to(line, column);
  if (word.empty() || word.size() > behind.offset()) return;
  const size_t start = content.rfind(word, behind.offset() - word.size());
  if (start == std::string::npos) return;
  const size_t next = content.find_first_not_of(" \t\r\n", start + word.size());
  if (next < behind.offset() && content[next] != '#') return;
  Cursor at(content);
  at.advance_to(start);
  line = at.line();
  column = at.column();
}

// Larger than any net (ResNet-1001 with its blocks written out has 3 MB and 70,000 messages), and
// far from what would exhaust the memory: a message of seven bytes takes 1.4 kB.
constexpr size_t kMostBytes = size_t{16} << 20;
constexpr std::ptrdiff_t kMostMessages = 200'000;
constexpr size_t kMostOfParserMessage = 300;

class FirstError : public pb::io::ErrorCollector {
 public:
  FirstError(std::string file, const std::string& content, const pb::Descriptor& root)
      : file_(std::move(file)), content_(content), root_(root) {}
  void AddError(int line, int column, const std::string& message) override {
    if (!error_.empty()) return;
    const auto [what, culprit] = diagnose(message, root_);
    if (line >= 0) back_to(culprit, content_, line, column);
    const std::string said =
        what.size() <= kMostOfParserMessage ? what : what.substr(0, kMostOfParserMessage) + "...";
    error_ = file_.empty() ? said
             : line < 0    ? text(file_, ": ", said)
                           : text(file_, ":", line + 1, ":", column + 1, ": ", said);
  }
  void AddWarning(int, int, const std::string&) override {}
  const std::string& error() const { return error_; }

 private:
  std::string file_, error_;
  const std::string& content_;
  const pb::Descriptor& root_;
};

}  // namespace

std::string without_mark(const std::string& content, const std::string& file) {
  require(!content.starts_with("\xff\xfe") && !content.starts_with("\xfe\xff"), file,
          ": is text in UTF-16; save it as UTF-8");
  return content.starts_with("\xef\xbb\xbf") ? content.substr(3) : content;
}

// Every message opens a brace (or its older form); a text inside quotation marks may have some too.
void require_bounded(const std::string& content, const std::string& file) {
  require(content.size() <= kMostBytes, file, ": has ", content.size(), " bytes, more than the ",
          kMostBytes, " that a prototxt may have");
  const auto messages =
      std::count_if(content.begin(), content.end(), [](char c) { return c == '{' || c == '<'; });
  require(messages <= kMostMessages, file, ": has ", messages, " messages ({), more than the ",
          kMostMessages, " that a prototxt may have");
}

void parse_text(const std::string& text, const std::string& file, pb::Message& message,
                Positions& positions) {
  const std::string content = without_mark(text, file);
  require_bounded(content, file);
  FirstError collector(file, content, *message.GetDescriptor());
  pb::TextFormat::Parser parser;
  parser.SetRecursionLimit(kDeepestMessage);
  parser.RecordErrorsTo(&collector);
  parser.WriteLocationsTo(positions.tree());
  if (!parser.ParseFromString(content, &message))
    throw Error(collector.error().empty() ? file + ": cannot be parsed" : collector.error());
  positions.index(message);
}

}  // namespace orepa
