#include "io/legacy/field_copy.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/text_format.h>

#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

const Field& field_of(const pb::Message& message, const std::string& name) {
  const Field* field = message.GetDescriptor()->FindFieldByName(name);
  require(field != nullptr, message.GetDescriptor()->name(), " has no field ", name);
  return *field;
}

}  // namespace

std::string FieldCopy::where(const pb::Message& message, const std::string& field,
                             int index) const {
  return from_ == nullptr ? name_ : from_->where(message, field, index);
}

void FieldCopy::place(const pb::Message& old, const std::string& field, int index,
                      const pb::Message& message, const std::string& target, int entry) const {
  if (to_ != nullptr) to_->note(message, target, entry, where(old, field, index));
}

void FieldCopy::copy(const pb::Message& old, const std::string& field, int index,
                     pb::Message& message, const std::string& target) const {
  const Field &source = field_of(old, field), &goal = field_of(message, target);
  const pb::Reflection &get = *old.GetReflection(), &set = *message.GetReflection();
  if (source.cpp_type() == Field::CPPTYPE_MESSAGE) {
    const pb::Message& part =
        index < 0 ? get.GetMessage(old, &source) : get.GetRepeatedMessage(old, &source, index);
    pb::Message& copied = goal.is_repeated() ? *set.AddMessage(&message, &goal)
                                             : *set.MutableMessage(&message, &goal);
    copied.CopyFrom(part);
    if (to_ != nullptr) to_->adopt(*from_, part, copied);
  } else {
    std::string value;
    pb::TextFormat::PrintFieldValueToString(old, &source, index, &value);
    const bool read = pb::TextFormat::Parser().ParseFieldValueFromString(value, &goal, &message);
    require(read, where(old, field, index), ": ", field, " cannot be ", value);
  }
  place(old, field, index, message, target,
        goal.is_repeated() ? set.FieldSize(message, &goal) - 1 : -1);
}

void FieldCopy::copy(const pb::Message& old, const std::string& field, pb::Message& message,
                     const std::string& target) const {
  const Field& source = field_of(old, field);
  const pb::Reflection& get = *old.GetReflection();
  if (!source.is_repeated()) {
    if (get.HasField(old, &source)) copy(old, field, -1, message, target);
    return;
  }
  for (int i = 0; i < get.FieldSize(old, &source); ++i) copy(old, field, i, message, target);
}

}  // namespace orepa
