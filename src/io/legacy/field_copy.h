// FieldCopy: fields of an old message as fields of a new one, with their places in the file.
#pragma once
#include <google/protobuf/message.h>

#include <string>

#include "core/positions.h"

namespace orepa {

class FieldCopy {
 public:
  // `from` is of the old messages, `to` of the new ones; both null where they were not read from
  // text. `name` stands for places then.
  FieldCopy(const std::string& name, const Positions* from, Positions* to)
      : name_(name), from_(from), to_(to) {}

  // Of an old message.
  std::string where(const google::protobuf::Message& message, const std::string& field = "",
                    int index = -1) const;

  // From now on the new message, or a field of it, stands where the entry of the old field does.
  void place(const google::protobuf::Message& old, const std::string& field, int index,
             const google::protobuf::Message& message, const std::string& target = "",
             int entry = -1) const;

  // Entry `index` (-1 of a singular field) becomes the value of a field of the same kind, or the
  // next one of a list.
  void copy(const google::protobuf::Message& old, const std::string& field, int index,
            google::protobuf::Message& message, const std::string& target) const;

  // All that a field holds; nothing where it is absent.
  void copy(const google::protobuf::Message& old, const std::string& field,
            google::protobuf::Message& message, const std::string& target) const;

 private:
  const std::string& name_;
  const Positions* from_;
  Positions* to_;
};

}  // namespace orepa
