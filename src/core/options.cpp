#include "orepa/options.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include <cmath>

#include "core/field_reads.h"
#include "core/positions.h"
#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

const Field& find(const std::shared_ptr<const pb::Message>& message, const std::string& name) {
  require(message != nullptr, "field \"", name, "\" of no message was asked for");
  const Field* field = message->GetDescriptor()->FindFieldByName(name);
  require(field != nullptr, message->GetDescriptor()->full_name(), " has no field \"", name, "\"");
  FieldReads::note(*field);
  return *field;
}

const Field& find(const std::shared_ptr<const pb::Message>& message, const std::string& name,
                  bool repeated) {
  const Field& field = find(message, name);
  require(field.is_repeated() == repeated, field.full_name(), " is ", repeated ? "not " : "",
          "repeated");
  return field;
}

[[noreturn]] void wrong_type(const Field& field, const char* wanted) {
  fail("field ", field.full_name(), " is no ", wanted);
}

void require_integer(const Field& field) {
  if (field.cpp_type() == Field::CPPTYPE_FLOAT || field.cpp_type() == Field::CPPTYPE_DOUBLE)
    wrong_type(field, "integer");
}

// A number of any kind, as a double: exact for everything but 64-bit integers above 2^53.
double get_number(const pb::Message& message, const Field& field) {
  const pb::Reflection& get = *message.GetReflection();
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return get.GetInt32(message, &field);
    case Field::CPPTYPE_UINT32:
      return get.GetUInt32(message, &field);
    case Field::CPPTYPE_INT64:
      return static_cast<double>(get.GetInt64(message, &field));
    case Field::CPPTYPE_FLOAT:
      return get.GetFloat(message, &field);
    case Field::CPPTYPE_DOUBLE:
      return get.GetDouble(message, &field);
    default:
      wrong_type(field, "number");
  }
}

double get_number(const pb::Message& message, const Field& field, int i) {
  const pb::Reflection& get = *message.GetReflection();
  switch (field.cpp_type()) {
    case Field::CPPTYPE_INT32:
      return get.GetRepeatedInt32(message, &field, i);
    case Field::CPPTYPE_UINT32:
      return get.GetRepeatedUInt32(message, &field, i);
    case Field::CPPTYPE_INT64:
      return static_cast<double>(get.GetRepeatedInt64(message, &field, i));
    case Field::CPPTYPE_FLOAT:
      return get.GetRepeatedFloat(message, &field, i);
    case Field::CPPTYPE_DOUBLE:
      return get.GetRepeatedDouble(message, &field, i);
    case Field::CPPTYPE_BOOL:
      return get.GetRepeatedBool(message, &field, i);
    default:
      wrong_type(field, "number");
  }
}

}  // namespace

// Shares the document with this one.
Options Options::part(const pb::Message& message) const {
  return Options({message_, &message}, positions_);
}

bool Options::has(const std::string& name) const { return size(name) > 0; }

bool Options::repeated(const std::string& name) const { return find(message_, name).is_repeated(); }

int Options::size(const std::string& name) const {
  if (message_ == nullptr) return 0;
  const Field* field = &find(message_, name);
  const pb::Reflection& get = *message_->GetReflection();
  return field->is_repeated() ? get.FieldSize(*message_, field) : get.HasField(*message_, field);
}

bool Options::flag(const std::string& name) const {
  const Field& field = find(message_, name, false);
  if (field.cpp_type() != Field::CPPTYPE_BOOL) wrong_type(field, "bool");
  return message_->GetReflection()->GetBool(*message_, &field);
}

int64_t Options::integer(const std::string& name) const {
  const Field& field = find(message_, name, false);
  if (field.cpp_type() == Field::CPPTYPE_INT64)
    return message_->GetReflection()->GetInt64(*message_, &field);
  require_integer(field);
  return static_cast<int64_t>(get_number(*message_, field));
}

double Options::finite(const std::string& name, int index, double value) const {
  if (!std::isfinite(value)) {
    const std::string place = where(name, index);
    fail(place, place.empty() ? "" : ": ", name, " is ", value, "; it must be a finite number");
  }
  return value;
}

double Options::number(const std::string& name) const {
  return finite(name, 0, get_number(*message_, find(message_, name, false)));
}

std::string Options::string(const std::string& name) const {
  const Field& field = find(message_, name, false);
  if (field.cpp_type() != Field::CPPTYPE_STRING) wrong_type(field, "string");
  return message_->GetReflection()->GetString(*message_, &field);
}

std::string Options::choice(const std::string& name) const {
  const Field& field = find(message_, name, false);
  if (field.cpp_type() != Field::CPPTYPE_ENUM) wrong_type(field, "enum");
  return message_->GetReflection()->GetEnum(*message_, &field)->name();
}

Options Options::message(const std::string& name) const {
  const Field& field = find(message_, name, false);
  if (field.cpp_type() != Field::CPPTYPE_MESSAGE) wrong_type(field, "message");
  return part(message_->GetReflection()->GetMessage(*message_, &field));
}

std::vector<int64_t> Options::integers(const std::string& name) const {
  std::vector<int64_t> values;
  const Field& field = find(message_, name, true);
  require_integer(field);
  for (int i = 0; i < size(name); ++i)
    values.push_back(field.cpp_type() == Field::CPPTYPE_INT64
                         ? message_->GetReflection()->GetRepeatedInt64(*message_, &field, i)
                         : static_cast<int64_t>(get_number(*message_, field, i)));
  return values;
}

std::vector<double> Options::numbers(const std::string& name) const {
  std::vector<double> values;
  const Field& field = find(message_, name, true);
  for (int i = 0; i < size(name); ++i)
    values.push_back(finite(name, i, get_number(*message_, field, i)));
  return values;
}

std::vector<std::string> Options::strings(const std::string& name) const {
  std::vector<std::string> values;
  const Field& field = find(message_, name, true);
  if (field.cpp_type() != Field::CPPTYPE_STRING) wrong_type(field, "string");
  for (int i = 0; i < size(name); ++i)
    values.push_back(message_->GetReflection()->GetRepeatedString(*message_, &field, i));
  return values;
}

std::vector<Options> Options::messages(const std::string& name) const {
  std::vector<Options> values;
  const Field& field = find(message_, name, true);
  if (field.cpp_type() != Field::CPPTYPE_MESSAGE) wrong_type(field, "message");
  for (int i = 0; i < size(name); ++i)
    values.push_back(part(message_->GetReflection()->GetRepeatedMessage(*message_, &field, i)));
  return values;
}

std::string Options::where(const std::string& field, int index) const {
  if (message_ == nullptr || positions_ == nullptr) return "";
  return positions_->where(*message_, field, index);
}

}  // namespace orepa
