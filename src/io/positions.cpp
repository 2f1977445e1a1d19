#include "io/positions.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <regex>
#include <sstream>

#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;

std::vector<std::string> field_names(const pb::Descriptor& descriptor) {
  std::vector<std::string> names;
  for (int i = 0; i < descriptor.field_count(); ++i) names.push_back(descriptor.field(i)->name());
  return names;
}

// Adds "did you mean" to the parser's message about an unknown field or enum value.
std::string with_remedy(const std::string& message) {
  static const std::regex unknown_field(
      "Message type \"([^\"]+)\" has no field named \"([^\"]+)\"");
  static const std::regex unknown_value(
      "Unknown enumeration value of \"([^\"]+)\" for field \"([^\"]+)\"");
  std::smatch match;
  if (std::regex_search(message, match, unknown_field)) {
    const pb::Descriptor* descriptor =
        pb::DescriptorPool::generated_pool()->FindMessageTypeByName(match[1]);
    const std::string type = descriptor == nullptr ? match[1].str() : descriptor->name();
    const std::string nearest =
        descriptor == nullptr ? "" : nearest_name(match[2], field_names(*descriptor));
    return text("unknown field \"", match[2].str(), "\" in ", type,
                nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?");
  }
  if (std::regex_search(message, match, unknown_value))
    return text("unknown value \"", match[1].str(), "\" for field \"", match[2].str(), "\"");
  return message;
}

class FirstError : public pb::io::ErrorCollector {
 public:
  explicit FirstError(std::string file) : file_(std::move(file)) {}
  void AddError(int line, int column, const std::string& message) override {
    if (!error_.empty()) return;
    error_ = line < 0 ? text(file_, ": ", with_remedy(message))
                      : text(file_, ":", line + 1, ":", column + 1, ": ", with_remedy(message));
  }
  void AddWarning(int, int, const std::string&) override {}
  const std::string& error() const { return error_; }

 private:
  std::string file_, error_;
};

}  // namespace

void Positions::index(const pb::Message& root) { index(root, &tree_); }

void Positions::index(const pb::Message& message, const Tree* tree) {
  entries_[&message].tree = tree;
  const pb::Reflection& reflection = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    const int count = field->is_repeated() ? reflection.FieldSize(message, field) : 1;
    for (int i = 0; i < count; ++i) {
      const pb::Message& child = field->is_repeated()
                                     ? reflection.GetRepeatedMessage(message, field, i)
                                     : reflection.GetMessage(message, field);
      const Tree* child_tree = tree->GetTreeForNested(field, field->is_repeated() ? i : -1);
      if (child_tree == nullptr) continue;
      entries_[&child].start = tree->GetLocation(field, field->is_repeated() ? i : -1);
      index(child, child_tree);
    }
  }
}

std::string Positions::where(const pb::Message& message, const std::string& field,
                             int index) const {
  const auto entry = entries_.find(&message);
  if (entry == entries_.end()) return file_;
  Location location = entry->second.start;
  const pb::FieldDescriptor* descriptor = message.GetDescriptor()->FindFieldByName(field);
  if (descriptor != nullptr) {
    const Location found =
        entry->second.tree->GetLocation(descriptor, descriptor->is_repeated() ? index : -1);
    if (found.line >= 0) location = found;
  }
  if (location.line < 0) return file_;
  return text(file_, ":", location.line + 1, ":", location.column + 1);
}

void parse_text(const std::string& content, const std::string& file, pb::Message& message,
                Positions& positions) {
  FirstError collector(file);
  pb::TextFormat::Parser parser;
  parser.RecordErrorsTo(&collector);
  parser.WriteLocationsTo(positions.tree());
  if (!parser.ParseFromString(content, &message))
    throw Error(collector.error().empty() ? file + ": cannot be parsed" : collector.error());
  positions.index(message);
}

std::string read_file(const std::string& path) {
  require(!std::filesystem::is_directory(path), path, ": is a folder, not a file");
  std::ifstream in(path, std::ios::binary);
  require(in.good(), path, ": cannot be read: ", std::strerror(errno));
  std::ostringstream content;
  content << in.rdbuf();
  require(!in.bad(), path, ": cannot be read: ", std::strerror(errno));
  return content.str();
}

}  // namespace orepa
