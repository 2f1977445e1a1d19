#include "io/text/unknown_names.h"

#include <google/protobuf/descriptor.h>

#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;

std::vector<std::string> field_names(const pb::Descriptor& message) {
  std::vector<std::string> names;
  for (int i = 0; i < message.field_count(); ++i) names.push_back(message.field(i)->name());
  return names;
}

// The values of every enum that is the type of a field with this name, in a file and what it
// imports.
std::vector<std::string> value_names(const pb::FileDescriptor& file, const std::string& field) {
  std::vector<std::string> names;
  for (int i = 0; i < file.dependency_count(); ++i)
    for (std::string& name : value_names(*file.dependency(i), field))
      names.push_back(std::move(name));
  for (int i = 0; i < file.message_type_count(); ++i) {
    const pb::FieldDescriptor* found = file.message_type(i)->FindFieldByName(field);
    if (found == nullptr || found->enum_type() == nullptr) continue;
    for (int v = 0; v < found->enum_type()->value_count(); ++v)
      names.push_back(found->enum_type()->value(v)->name());
  }
  return names;
}

}  // namespace

std::string unknown_field(const pb::Descriptor& message, const std::string& name) {
  if (message.name() == "NetParameter" && name == "layers")
    return "a net of Caffe's old format (layers {...}) cannot stand in a solver; write it into a "
           "file "
           "of its own and name that with `net`, or upgrade it with `orepa_tool upgrade`";
  if (message.name() == "V1NetParameter" && name == "layer")
    return "layer {...} and layers {...}, Caffe's old format, cannot stand in one file; leave one "
           "of "
           "them out";
  return text("unknown field \"", name, "\" in ", message.name(),
              did_you_mean(name, field_names(message)));
}

std::string unknown_value(const pb::Descriptor& root, const std::string& field,
                          const std::string& value) {
  return text("unknown value \"", value, "\" for field \"", field, "\"",
              did_you_mean(value, value_names(*root.file(), field)));
}

}  // namespace orepa
