// OnnxModel: an ONNX model while it is built: tensors by name, nodes in order of computation.
// Opset 13, IR version 7: the oldest that says all we need, so that the most readers take it.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "onnx.pb.h"
#include "orepa/onnx_layer.h"

namespace orepa {

class OnnxModel {
 public:
  explicit OnnxModel(const std::string& name);

  // `wanted`, with as many underscores behind it as make it a name that no tensor has.
  std::string new_name(const std::string& wanted);

  void add_input(const std::string& tensor, const Shape& shape);
  void add_output(const std::string& tensor, const Shape& shape);
  // Constant tensors of the file; return the name they got.
  std::string add_constant(const std::string& wanted, const Shape& shape,
                           const std::vector<float>& values);  // in row-major order
  std::string add_constant(const std::string& wanted, const std::vector<int64_t>& values);
  void add_node(const std::string& name, const std::string& type,
                const std::vector<std::string>& inputs, const std::vector<std::string>& outputs,
                const std::vector<OnnxAttribute>& attributes);

  // Atomically. Throws Error where the file would be larger than protobuf's 2 GiB.
  void save(const std::string& path) const;

 private:
  onnx::ModelProto model_;
  std::set<std::string> names_;
};

}  // namespace orepa
