#include "io/text/text_scan.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>

#include <limits>

#include "io/text/cursor.h"
#include "io/text/parse_text.h"
#include "io/text/unknown_names.h"
#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;
using Tokenizer = pb::io::Tokenizer;

// More than any net has, each of which costs a search for the nearest name.
constexpr size_t kMostUnknown = 20'000;

class FirstError : public pb::io::ErrorCollector {
 public:
  void AddError(int line, int column, const std::string& message) override {
    if (text_.empty()) text_ = text(":", line + 1, ":", column + 1, ": ", message);
  }
  const std::string& str() const { return text_; }

 private:
  std::string text_;
};

bool is_known(const pb::EnumDescriptor& values, const std::string& value) {
  if (value.find_first_not_of("-0123456789") != std::string::npos)
    return values.FindValueByName(value) != nullptr;
  for (int v = 0; v < values.value_count(); ++v)
    if (std::to_string(values.value(v)->number()) == value) return true;
  return false;
}

class Scanner {
 public:
  Scanner(const std::string& content, const pb::Descriptor& root)
      : content_(content),
        root_(root),
        input_(content.data(), static_cast<int>(content.size())),
        tokens_(&input_, &errors_),
        cursor_(content) {
    tokens_.set_comment_style(Tokenizer::SH_COMMENT_STYLE);
    tokens_.set_allow_f_after_float(true);
    next();
  }

  TextScan scan(const std::string& file) {
    while (!ended()) {
      const size_t begin = begin_;
      const std::string name = tokens_.current().text;
      scan_field(root_, 0);
      scan_.fields.push_back({name, begin, end_});
    }
    require(errors_.str().empty(), file, errors_.str());
    return std::move(scan_);
  }

 private:
  const std::string& token() { return tokens_.current().text; }
  bool ended() {
    return malformed_ || tokens_.current().type == Tokenizer::TYPE_END || !errors_.str().empty();
  }
  void next() {
    end_ = begin_ + token().size();
    tokens_.Next();
    cursor_.advance_to(tokens_.current().line, tokens_.current().column);
    begin_ = cursor_.offset();
  }
  bool take(const char* symbol) {
    if (token() != symbol) return false;
    next();
    return true;
  }

  void scan_field(const pb::Descriptor& message, int depth) {
    int line = cursor_.line(), column = cursor_.column();
    const size_t begin = begin_;
    if (token() == "[")
      scan_brackets(nullptr);  // an extension
    else if (tokens_.current().type == Tokenizer::TYPE_IDENTIFIER)
      next();
    else
      malformed_ = true;
    const std::string name = content_.substr(begin, end_ - begin);
    const pb::FieldDescriptor* field = message.FindFieldByName(name);
    if (malformed_) return;

    std::string unknown = field == nullptr ? unknown_field(message, name) : "";
    // Only in front of a message there need be none.
    malformed_ = !take(":") && token() != "{" && token() != "<" &&
                 (token() != "[" || field == nullptr || field->message_type() == nullptr);
    if (field != nullptr && field->message_type() != nullptr) {
      scan_messages(*field->message_type(), depth + 1);
    } else if (field != nullptr && field->enum_type() != nullptr) {
      line = cursor_.line();
      column = cursor_.column();
      std::vector<std::string> values;
      scan_value(&values);
      for (const std::string& value : values)
        if (unknown.empty() && !is_known(*field->enum_type(), value))
          unknown = unknown_value(root_, name, value);
    } else {
      scan_value(nullptr);
    }
    if (!take(",")) take(";");
    if (!unknown.empty() && !malformed_) add_unknown({begin, end_, line, column, unknown});
  }

  void add_unknown(UnknownText unknown) {
    if (scan_.unknown.size() == kMostUnknown)
      errors_.AddError(unknown.line, unknown.column,
                       text("the text is no net: more than ", kMostUnknown,
                            " of its fields are unknown, the last: ", unknown.what));
    scan_.unknown.push_back(std::move(unknown));
  }

  void scan_messages(const pb::Descriptor& message, int depth) {
    if (!take("[")) return scan_message(message, depth);
    do scan_message(message, depth);
    while (!ended() && take(","));
    malformed_ = malformed_ || !take("]");
  }

  void scan_message(const pb::Descriptor& message, int depth) {
    const std::string close = token() == "<" ? ">" : "}";
    malformed_ = malformed_ || depth > kDeepestMessage || !(take("{") || take("<"));
    while (!ended() && token() != close) scan_field(message, depth);
    malformed_ = malformed_ || !take(close.c_str());
  }

  // One value, a list of them, or a message whose fields nobody knows.
  void scan_value(std::vector<std::string>* values) {
    if (token() == "{" || token() == "<" || token() == "[") return scan_brackets(values);
    const std::string sign = take("-") ? "-" : "";
    if (values != nullptr) values->push_back(sign + token());
    malformed_ = malformed_ || tokens_.current().type == Tokenizer::TYPE_SYMBOL;
    if (malformed_) return;
    const bool string = tokens_.current().type == Tokenizer::TYPE_STRING;
    do next();
    while (string && tokens_.current().type == Tokenizer::TYPE_STRING);  // pieces of one
  }

  // To the bracket that closes the one at the current token.
  void scan_brackets(std::vector<std::string>* values) {
    const int line = cursor_.line(), column = cursor_.column();
    const std::string opened = token();
    std::string closing;
    do {
      const std::string& part = token();
      if (part == "{") {
        closing += '}';
      } else if (part == "<") {
        closing += '>';
      } else if (part == "[") {
        closing += ']';
      } else if (part == "}" || part == ">" || part == "]") {
        malformed_ = malformed_ || part[0] != closing.back();
        closing.pop_back();
      } else if (values != nullptr && part != ",") {
        values->push_back(part);
      }
      next();
    } while (!closing.empty() && !ended());
    if (!closing.empty() && !malformed_)
      errors_.AddError(line, column, "\"" + opened + "\" is never closed");
  }

  const std::string& content_;
  const pb::Descriptor& root_;
  FirstError errors_;
  pb::io::ArrayInputStream input_;
  Tokenizer tokens_;
  Cursor cursor_;
  size_t begin_ = 0;  // of the current token
  size_t end_ = 0;    // of the one before
  bool malformed_ = false;
  TextScan scan_;
};

}  // namespace

TextScan scan_text(const std::string& content, const std::string& file,
                   const pb::Descriptor& root) {
  require(content.size() <= std::numeric_limits<int>::max(), file,
          ": is too large for a prototxt, it has ", content.size(), " bytes");
  return Scanner(content, root).scan(file);
}

void blank_out(std::string& content, size_t begin, size_t end) {
  for (size_t at = begin; at < end; ++at)
    if (content[at] != '\n' && content[at] != '\t') content[at] = ' ';
}

std::string known_text(const std::string& content, const TextScan& scan) {
  std::string known = content;
  for (const UnknownText& unknown : scan.unknown) blank_out(known, unknown.begin, unknown.end);
  return known;
}

std::string place_of(const UnknownText& unknown, const std::string& file) {
  return text(file, ":", unknown.line + 1, ":", unknown.column + 1);
}

}  // namespace orepa
