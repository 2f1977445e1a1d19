#include "orepa/onnx_layer.h"

#include "io/onnx/onnx_model.h"
#include "orepa/error.h"

namespace orepa {

std::string OnnxLayer::parameter(const std::string& name) const {
  return parameter(name, found(name).value.shape);
}

std::string OnnxLayer::parameter(const std::string& name, const Shape& shape) const {
  return constant(name, shape, parameters_.read(found(name)));
}

const Parameter& OnnxLayer::found(const std::string& name) const {
  const Parameter* parameter = parameters_.find(spec.name, name);
  require(parameter != nullptr, spec.where(), "has no parameter \"", name, "\"");
  return *parameter;
}

std::string OnnxLayer::constant(const std::string& name, const Shape& shape,
                                const std::vector<float>& values) const {
  return model_.add_constant(spec.name + "/" + name, shape, values);
}

std::string OnnxLayer::shape_constant(const Shape& shape) const {
  return model_.add_constant(spec.name + "/shape", shape.extents());
}

std::string OnnxLayer::before(const std::string& type, const std::vector<std::string>& inputs,
                              const std::vector<OnnxAttribute>& attributes) const {
  const std::string made = model_.new_name(spec.name + "/" + type);
  model_.add_node(made, type, inputs, made, attributes);
  return made;
}

void OnnxLayer::last(const std::string& type, const std::vector<std::string>& inputs,
                     const std::vector<OnnxAttribute>& attributes) const {
  model_.add_node(spec.name, type, inputs, output, attributes);
}

void OnnxLayer::reshape(const std::string& tensor) const {
  last("Reshape", {tensor, shape_constant(output_shape)});
}

}  // namespace orepa
