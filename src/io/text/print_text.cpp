#include "io/text/print_text.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include <charconv>
#include <sstream>
#include <vector>

namespace orepa {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr size_t kColumns = 100;

template <class Number>
std::string shortest(Number number) {
  char text[64];
  const auto end = std::to_chars(text, text + sizeof text, number, std::chars_format::general).ptr;
  return {text, end};
}

// One field, or one entry of a repeated field.
struct Entry {
  const pb::Message& message;
  const Field& field;
  int index;  // -1 where the field is singular

  std::string scalar() const {
    const pb::Reflection& get = *message.GetReflection();
    if (field.cpp_type() == Field::CPPTYPE_FLOAT)
      return shortest(index < 0 ? get.GetFloat(message, &field)
                                : get.GetRepeatedFloat(message, &field, index));
    if (field.cpp_type() == Field::CPPTYPE_DOUBLE)
      return shortest(index < 0 ? get.GetDouble(message, &field)
                                : get.GetRepeatedDouble(message, &field, index));
    std::string value;
    pb::TextFormat::PrintFieldValueToString(message, &field, index, &value);
    return value;
  }
  bool is_message() const { return field.cpp_type() == Field::CPPTYPE_MESSAGE; }
  const pb::Message& nested() const {
    const pb::Reflection& get = *message.GetReflection();
    return index < 0 ? get.GetMessage(message, &field)
                     : get.GetRepeatedMessage(message, &field, index);
  }
};

std::vector<Entry> entries(const pb::Message& message) {
  std::vector<const Field*> fields;
  message.GetReflection()->ListFields(message, &fields);
  std::vector<Entry> all;
  for (const Field* field : fields) {
    if (!field->is_repeated()) all.push_back({message, *field, -1});
    for (int i = 0; field->is_repeated() && i < message.GetReflection()->FieldSize(message, field);
         ++i)
      all.push_back({message, *field, i});
  }
  return all;
}

std::string on_one_line(const Entry& entry) {
  if (!entry.is_message()) return entry.field.name() + ": " + entry.scalar();
  std::string inside;
  for (const Entry& inner : entries(entry.nested())) inside += " " + on_one_line(inner);
  return entry.field.name() + (inside.empty() ? " {}" : " {" + inside + " }");
}

void print(const pb::Message& message, const std::string& indent, std::string& to) {
  for (const Entry& entry : entries(message)) {
    const std::string line = indent + on_one_line(entry);
    if (!entry.is_message() || line.size() <= kColumns) {
      to += line + "\n";
    } else {
      to += indent + entry.field.name() + " {\n";
      print(entry.nested(), indent + "  ", to);
      to += indent + "}\n";
    }
  }
}

}  // namespace

std::string comment_lines(const std::string& comment) {
  std::string content;
  std::istringstream lines(comment);
  for (std::string line; std::getline(lines, line);)
    content += line.empty() ? "#\n" : "# " + line + "\n";
  return content;
}

std::string print_text(const pb::Message& message, const std::string& comment) {
  std::string content = comment_lines(comment);
  print(message, "", content);
  return content;
}

}  // namespace orepa
