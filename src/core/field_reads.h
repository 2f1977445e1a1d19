// FieldReads: which fields of the formats are asked of Options, on this thread, while it lives. By
// it a test holds that whatever a prototxt can say is read or refused, and nothing passed over.
#pragma once
#include <set>
#include <string>

namespace google::protobuf {
class FieldDescriptor;
}

namespace orepa {

class FieldReads {
 public:
  FieldReads();
  ~FieldReads();
  FieldReads(const FieldReads&) = delete;
  FieldReads& operator=(const FieldReads&) = delete;

  // By full name: "orepa.PoolingParameter.pad".
  bool contains(const google::protobuf::FieldDescriptor& field) const;
  // Of Options: `field` was asked for.
  static void note(const google::protobuf::FieldDescriptor& field);

 private:
  std::set<std::string> names_;
  FieldReads* outer_;
};

}  // namespace orepa
