#include <algorithm>

#include "layers/linear.h"
#include "layers/small_operand.h"

namespace orepa {
namespace {

struct Forward {
  Broadcast spread;
  const float *x, *bias;
  float* y;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * spread.columns() + j;
    y[i] = x[i] + bias[spread.first(r) + j * spread.step()];
  }
};

// y = x + bias, with a learned bias, or with a second bottom as the bias.
class Bias : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    bias_ = SmallOperand::declare(setup, setup.options().message("bias_param"), "bias", 0);
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {setup.input(0)};
  }
  void forward(Pass& pass) override {
    const Broadcast& spread = bias_.spread;
    parallel_rows(pass.device(), spread.rows(), spread.columns(),
                  Forward{spread, pass.input(0).floats(), bias_.value(pass).floats(),
                          pass.output(0).floats()});
  }
  void backward(Pass& pass) override {
    const Tensor dy = pass.output_gradient(0), dx = pass.input_gradient(0);
    if (const Tensor dbias = bias_.gradient(pass))
      bias_.add_up(pass, nullptr, dy.floats(), dbias.floats(), bias_.accumulates(pass));
    if (dx && dx.data != dy.data) pass.device().copy(dx.data, dy.data, dy.bytes());
  }

 private:
  SmallOperand bias_;
};

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  if (!is_of_channels(spec.options.message("bias_param"), input)) return std::nullopt;
  LinearShape shape = LinearShape::identity(input[1]);
  shape.biased = true;
  return shape;
}

void read_map(const LayerSpec& spec, const Parameters& parameters, LinearMap& map) {
  std::fill(map.kernel.begin(), map.kernel.end(), 1.0);
  map.bias = read_numbers(parameters, spec, "bias");
}

void write_onnx(const OnnxLayer& layer) {
  layer.last("Add", {layer.inputs[0], onnx_operand(layer, layer.options("bias_param"), "bias")});
}

OREPA_LAYER(Bias, "adds a learned vector, or a second bottom, along some axes")
    .keeps_channels()
    .linear({LinearRole::Kind::kNormalisation, linear_shape, read_map})
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
