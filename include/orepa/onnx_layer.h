// OnnxLayer: one layer while it becomes nodes of an ONNX model (opset 13). A layer type that can
// says how in its own file (see roles.h).
#pragma once
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "orepa/layer.h"
#include "orepa/params.h"

namespace orepa {

class OnnxModel;  // src/io/onnx

using OnnxAttribute =
    std::pair<std::string, std::variant<int64_t, float, std::string, std::vector<int64_t>>>;

// Types of numbers, as a Cast has them.
inline constexpr int64_t kOnnxFloat = 1, kOnnxInt64 = 7;

inline std::vector<int64_t> onnx_ints(const Pair& pair) { return {pair[0], pair[1]}; }

class OnnxLayer {
 public:
  OnnxLayer(const LayerSpec& spec, const Parameters& parameters, OnnxModel& model)
      : spec(spec), parameters_(parameters), model_(model) {}

  // The message of the layer's own options.
  Options options(const std::string& message) const { return spec.options.message(message); }

  const LayerSpec& spec;
  std::vector<std::string> inputs;  // tensors of the model
  std::vector<Shape> input_shapes;
  std::vector<std::string> outputs;  // the tensors that last() and make() have to make
  std::vector<Shape> output_shapes;
  Shape output_shape;  // of the first one

  // The layer's parameter as a constant, in `shape` where one is given.
  std::string parameter(const std::string& name) const;
  std::string parameter(const std::string& name, const Shape& shape) const;
  std::string constant(const std::string& name, const Shape& shape,
                       const std::vector<float>& values) const;
  std::string shape_constant(const Shape& shape) const;  // the second input of a Reshape
  std::string integers(const std::string& name, const std::vector<int64_t>& values) const;
  // A node on the way; returns the tensor that it makes.
  std::string before(const std::string& type, const std::vector<std::string>& inputs,
                     const std::vector<OnnxAttribute>& attributes = {}) const;
  // The same of a node that makes several.
  std::vector<std::string> before(size_t tensors, const std::string& type,
                                  const std::vector<std::string>& inputs,
                                  const std::vector<OnnxAttribute>& attributes = {}) const;
  // A Reshape on the way.
  std::string reshaped(const std::string& tensor, const Shape& shape) const;
  // The last node of an output.
  void make(size_t output, const std::string& type, const std::vector<std::string>& inputs,
            const std::vector<OnnxAttribute>& attributes = {}) const;
  // The last node of a layer's only output.
  void last(const std::string& type, const std::vector<std::string>& inputs,
            const std::vector<OnnxAttribute>& attributes = {}) const;
  // A Reshape to the shape of the output as the last node.
  void reshape(const std::string& tensor) const;
  // A Slice of input 0 as the last node of an output: the part of its extents from `begin` on.
  void slice(size_t output, const std::vector<int64_t>& begin) const;

 private:
  const Parameter& found(const std::string& name) const;
  const Parameters& parameters_;
  OnnxModel& model_;
};

}  // namespace orepa
