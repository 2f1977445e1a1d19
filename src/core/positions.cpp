#include "core/positions.h"

#include <google/protobuf/descriptor.h>

#include <limits>
#include <vector>

#include "orepa/error.h"

namespace orepa {
namespace {

namespace pb = google::protobuf;

// The longest path that the system takes; no name is longer.
constexpr size_t kMostOfString = 4096;

}  // namespace

Positions::Positions(const Positions& whole, const pb::Message& part, const pb::Message& copy)
    : file_(whole.file_) {
  adopt(whole, part, copy);
}

// Message by message, not by the tree's indices: since the text was read, others may have come
// between them.
void Positions::adopt(const Positions& whole, const pb::Message& part, const pb::Message& copy) {
  tree_ = whole.tree_;
  if (const auto entry = whole.entries_.find(&part); entry != whole.entries_.end())
    entries_[&copy] = entry->second;
  for (auto note = whole.notes_.lower_bound({&part, "", std::numeric_limits<int>::min()});
       note != whole.notes_.end() && std::get<0>(note->first) == &part; ++note)
    notes_[{&copy, std::get<1>(note->first), std::get<2>(note->first)}] = note->second;
  const pb::Reflection& reflection = *part.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(part, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    if (field->cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) continue;
    if (!field->is_repeated()) {
      adopt(whole, reflection.GetMessage(part, field), reflection.GetMessage(copy, field));
      continue;
    }
    for (int i = 0; i < reflection.FieldSize(part, field); ++i)
      adopt(whole, reflection.GetRepeatedMessage(part, field, i),
            reflection.GetRepeatedMessage(copy, field, i));
  }
}

void Positions::index(const pb::Message& root) { index(root, tree_.get()); }

void Positions::index(const pb::Message& message, const Tree* tree) {
  entries_[&message].tree = tree;
  const pb::Reflection& reflection = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_STRING) require_short(message, *field);
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

void Positions::require_short(const pb::Message& message, const pb::FieldDescriptor& field) const {
  const pb::Reflection& get = *message.GetReflection();
  const int count = field.is_repeated() ? get.FieldSize(message, &field) : 1;
  for (int i = 0; i < count; ++i) {
    std::string scratch;
    const size_t size = field.is_repeated()
                            ? get.GetRepeatedStringReference(message, &field, i, &scratch).size()
                            : get.GetStringReference(message, &field, &scratch).size();
    if (size > kMostOfString)
      fail(where(message, field.name(), i), ": ", field.name(), " has ", size,
           " bytes; no name, path or pattern may have more than ", kMostOfString);
  }
}

void Positions::note(const pb::Message& message, const std::string& field, int index,
                     const std::string& place) {
  notes_[{&message, field, index}] = place;
}

std::string Positions::where(const pb::Message& message, const std::string& field,
                             int index) const {
  for (const auto& [name, entry] : {std::pair(field, index), {field, -1}, {std::string(), -1}})
    if (const auto note = notes_.find({&message, name, entry}); note != notes_.end())
      return note->second;
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

}  // namespace orepa
