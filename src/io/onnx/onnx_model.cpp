#include "io/onnx/onnx_model.h"

#include <bit>
#include <limits>

#include "core/atomic_file.h"
#include "orepa/error.h"

namespace orepa {
namespace {

static_assert(std::endian::native == std::endian::little, "raw_data is little-endian");

void describe(onnx::ValueInfoProto& value, const std::string& tensor, const Shape& shape) {
  value.set_name(tensor);
  onnx::TypeProto::Tensor& type = *value.mutable_type()->mutable_tensor_type();
  type.set_elem_type(onnx::TensorProto::FLOAT);
  type.mutable_shape();  // a scalar has a shape too
  for (const int64_t extent : shape.extents())
    type.mutable_shape()->add_dim()->set_dim_value(extent);
}

struct SetAttribute {
  onnx::AttributeProto& attribute;
  void operator()(int64_t value) const {
    attribute.set_type(onnx::AttributeProto::INT);
    attribute.set_i(value);
  }
  void operator()(float value) const {
    attribute.set_type(onnx::AttributeProto::FLOAT);
    attribute.set_f(value);
  }
  void operator()(const std::string& value) const {
    attribute.set_type(onnx::AttributeProto::STRING);
    attribute.set_s(value);
  }
  void operator()(const std::vector<int64_t>& values) const {
    attribute.set_type(onnx::AttributeProto::INTS);
    attribute.mutable_ints()->Add(values.begin(), values.end());
  }
};

template <class Number>
void fill(onnx::TensorProto& tensor, const std::string& name, int type,
          const std::vector<int64_t>& extents, const std::vector<Number>& values) {
  tensor.set_name(name);
  tensor.set_data_type(type);
  tensor.mutable_dims()->Add(extents.begin(), extents.end());
  tensor.set_raw_data(values.data(), values.size() * sizeof(Number));
}

}  // namespace

OnnxModel::OnnxModel(const std::string& name) {
  model_.set_ir_version(7);
  model_.set_producer_name("orepa");
  onnx::OperatorSetIdProto& opset = *model_.add_opset_import();
  opset.set_domain("");
  opset.set_version(13);
  model_.mutable_graph()->set_name(name);
}

std::string OnnxModel::new_name(const std::string& wanted) {
  std::string name = wanted;
  while (!names_.insert(name).second) name += '_';
  return name;
}

void OnnxModel::add_input(const std::string& tensor, const Shape& shape) {
  describe(*model_.mutable_graph()->add_input(), tensor, shape);
}

void OnnxModel::add_output(const std::string& tensor, const Shape& shape) {
  describe(*model_.mutable_graph()->add_output(), tensor, shape);
}

std::string OnnxModel::add_constant(const std::string& wanted, const Shape& shape,
                                    const std::vector<float>& values) {
  const std::string name = new_name(wanted);
  fill(*model_.mutable_graph()->add_initializer(), name, onnx::TensorProto::FLOAT, shape.extents(),
       values);
  return name;
}

std::string OnnxModel::add_constant(const std::string& wanted, const std::vector<int64_t>& values) {
  const std::string name = new_name(wanted);
  fill(*model_.mutable_graph()->add_initializer(), name, onnx::TensorProto::INT64,
       {static_cast<int64_t>(values.size())}, values);
  return name;
}

void OnnxModel::add_node(const std::string& name, const std::string& type,
                         const std::vector<std::string>& inputs,
                         const std::vector<std::string>& outputs,
                         const std::vector<OnnxAttribute>& attributes) {
  onnx::NodeProto& node = *model_.mutable_graph()->add_node();
  node.set_name(name);
  node.set_op_type(type);
  node.mutable_input()->Add(inputs.begin(), inputs.end());
  node.mutable_output()->Add(outputs.begin(), outputs.end());
  for (const auto& [key, value] : attributes) {
    onnx::AttributeProto& attribute = *node.add_attribute();
    attribute.set_name(key);
    std::visit(SetAttribute{attribute}, value);
  }
}

void OnnxModel::save(const std::string& path) const {
  require(model_.ByteSizeLong() <= std::numeric_limits<int>::max(), path,
          ": would be larger than the 2 GiB that readers of ONNX accept");
  write_atomically(path, model_.SerializeAsString());
}

}  // namespace orepa
