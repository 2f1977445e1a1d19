#include "core/field_reads.h"

#include <google/protobuf/descriptor.h>

namespace orepa {
namespace {

thread_local FieldReads* current = nullptr;

}  // namespace

FieldReads::FieldReads() : outer_(current) { current = this; }
FieldReads::~FieldReads() { current = outer_; }

bool FieldReads::contains(const google::protobuf::FieldDescriptor& field) const {
  return names_.contains(field.full_name());
}

void FieldReads::note(const google::protobuf::FieldDescriptor& field) {
  if (current != nullptr) current->names_.insert(field.full_name());
}

}  // namespace orepa
