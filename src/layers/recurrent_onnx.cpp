#include "layers/recurrent_onnx.h"

namespace orepa {
namespace {

std::string slice(const OnnxLayer& layer, const std::string& tensor, int64_t axis, int64_t begin,
                  int64_t count) {
  return layer.before(
      "Slice", {tensor, layer.integers("begin", {begin}), layer.integers("end", {begin + count}),
                layer.integers("axes", {axis})});
}

}  // namespace

std::string onnx_columns(const OnnxLayer& layer, const std::string& matrix, int64_t begin,
                         int64_t count) {
  return slice(layer, matrix, 1, begin, count);
}

std::string write_steps(const OnnxLayer& layer, size_t states, const OnnxStep& step) {
  require(layer.options("recurrent_param").flag("expose_hidden"), layer.spec.where(),
          "keeps its states from pass to pass, which a file of ONNX cannot; with expose_hidden "
          "they are bottoms and tops");
  const Shape& x = layer.input_shapes[0];
  const int64_t steps = x[0], sequences = x[1], width = layer.output_shapes[0][2];
  const bool has_static = layer.inputs.size() == 3 + states;
  const std::vector<OnnxAttribute> turned{{"transB", int64_t{1}}};

  // W x + b of all steps, T N x units D.
  const std::string products =
      layer.before("Gemm",
                   {layer.reshaped(layer.inputs[0], {steps * sequences, x.count(2, x.rank())}),
                    layer.parameter("weight"), layer.parameter("bias")},
                   turned);
  std::string of_static;
  if (has_static) {
    const Shape& x_static = layer.input_shapes[2];
    of_static = layer.before(
        "Gemm",
        {layer.reshaped(layer.inputs[2], {sequences, x_static.count(1, x_static.rank())}),
         layer.parameter("static_weight")},
        turned);
  }
  const std::string cont = layer.reshaped(layer.inputs[1], {steps * sequences, 1});
  const std::string hidden_weight = layer.parameter("hidden_weight");
  std::vector<std::string> now, hidden;
  for (size_t s = 0; s < states; ++s)
    now.push_back(layer.reshaped(layer.inputs[(has_static ? 3 : 2) + s], {sequences, width}));
  for (int64_t t = 0; t < steps; ++t) {
    const std::string cont_t = slice(layer, cont, 0, t * sequences, sequences);
    for (std::string& state : now) state = layer.before("Mul", {state, cont_t});
    std::string u = slice(layer, products, 0, t * sequences, sequences);
    if (has_static) u = layer.before("Add", {u, of_static});
    step(layer.before("Add", {u, layer.before("Gemm", {now[0], hidden_weight}, turned)}), now);
    hidden.push_back(now[0]);
  }
  for (size_t s = 0; s < states; ++s)
    layer.make(1 + s, "Reshape", {now[s], layer.shape_constant({1, sequences, width})});
  return steps == 1 ? hidden[0] : layer.before("Concat", hidden, {{"axis", int64_t{0}}});
}

void write_lstm_step(const OnnxLayer& layer, const std::string& u,
                     std::vector<std::string>& states) {
  const int64_t width = layer.output_shapes[0][2];
  const auto gate = [&](int64_t number, const char* function) {
    return layer.before(function, {onnx_columns(layer, u, number * width, width)});
  };
  const std::string in = gate(0, "Sigmoid"), forget = gate(1, "Sigmoid"), out = gate(2, "Sigmoid"),
                    candidate = gate(3, "Tanh");
  states[1] = layer.before(
      "Add", {layer.before("Mul", {forget, states[1]}), layer.before("Mul", {in, candidate})});
  states[0] = layer.before("Mul", {out, layer.before("Tanh", {states[1]})});
}

}  // namespace orepa
