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
  return integers("shape", shape.extents());
}

std::string OnnxLayer::integers(const std::string& name, const std::vector<int64_t>& values) const {
  return model_.add_constant(spec.name + "/" + name, values);
}

std::string OnnxLayer::before(const std::string& type, const std::vector<std::string>& inputs,
                              const std::vector<OnnxAttribute>& attributes) const {
  return before(1, type, inputs, attributes)[0];
}

std::vector<std::string> OnnxLayer::before(size_t tensors, const std::string& type,
                                           const std::vector<std::string>& inputs,
                                           const std::vector<OnnxAttribute>& attributes) const {
  std::vector<std::string> made;
  while (made.size() < tensors) made.push_back(model_.new_name(spec.name + "/" + type));
  model_.add_node(made[0], type, inputs, made, attributes);
  return made;
}

std::string OnnxLayer::reshaped(const std::string& tensor, const Shape& shape) const {
  return before("Reshape", {tensor, shape_constant(shape)});
}

void OnnxLayer::make(size_t output, const std::string& type, const std::vector<std::string>& inputs,
                     const std::vector<OnnxAttribute>& attributes) const {
  const std::string name = output == 0 ? spec.name : text(spec.name, "/", output);
  model_.add_node(name, type, inputs, {outputs.at(output)}, attributes);
}

void OnnxLayer::last(const std::string& type, const std::vector<std::string>& inputs,
                     const std::vector<OnnxAttribute>& attributes) const {
  require(outputs.size() == 1, spec.where(), "has ", outputs.size(),
          " tops; what ONNX can say of such a layer has one");
  make(0, type, inputs, attributes);
}

void OnnxLayer::reshape(const std::string& tensor) const {
  last("Reshape", {tensor, shape_constant(output_shape)});
}

void OnnxLayer::slice(size_t output, const std::vector<int64_t>& begin) const {
  std::vector<int64_t> end = begin, axes;
  for (size_t a = 0; a < begin.size(); ++a) {
    end[a] += output_shapes.at(output).extents()[a];
    axes.push_back(static_cast<int64_t>(a));
  }
  make(output, "Slice",
       {inputs[0], integers("begin", begin), integers("end", end), integers("axes", axes)});
}

}  // namespace orepa
