#include "layers/linear.h"
#include "layers/small_operand.h"

namespace orepa {
namespace {

struct Forward {
  Broadcast spread;
  const float *x, *scale, *bias;
  float* y;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * spread.columns() + j, k = spread.first(r) + j * spread.step();
    y[i] = x[i] * scale[k] + (bias == nullptr ? 0.0f : bias[k]);
  }
};

struct InputGradient {
  Broadcast spread;
  const float *dy, *scale;
  float* dx;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * spread.columns() + j;
    dx[i] = dy[i] * scale[spread.first(r) + j * spread.step()];
  }
};

// y = x * scale (+ bias), with a learned scale, or with a second bottom as the scale.
class Scale : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("scale_param");
    scale_ = SmallOperand::declare(setup, options, "scale", 1);
    if (options.flag("bias_term"))
      bias_ = setup.parameter("bias", scale_.shape,
                              Filler::from(options, "bias_filler", Filler::constant(0)));
    setup.backward_reads_input(0);
    if (!scale_.is_learned()) setup.backward_reads_input(1);
    return {setup.input(0)};
  }

  void forward(Pass& pass) override {
    const Broadcast& spread = scale_.spread;
    parallel_rows(
        pass.device(), spread.rows(), spread.columns(),
        Forward{spread, pass.input(0).floats(), scale_.value(pass).floats(),
                bias_ < 0 ? nullptr : pass.parameter(bias_).floats(), pass.output(0).floats()});
  }

  void backward(Pass& pass) override {
    const float *x = pass.input(0).floats(), *dy = pass.output_gradient(0).floats();
    const Broadcast& spread = scale_.spread;
    if (const Tensor dscale = scale_.gradient(pass))
      scale_.add_up(pass, x, dy, dscale.floats(), scale_.accumulates(pass));
    if (bias_ >= 0)
      if (const Tensor dbias = pass.gradient(bias_))
        scale_.add_up(pass, nullptr, dy, dbias.floats(), pass.accumulates(bias_));
    if (const Tensor dx = pass.input_gradient(0))
      parallel_rows(pass.device(), spread.rows(), spread.columns(),
                    InputGradient{spread, dy, scale_.value(pass).floats(), dx.floats()});
  }

 private:
  SmallOperand scale_;
  Handle bias_ = -1;
};

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  const Options options = spec.options.message("scale_param");
  if (!is_of_channels(options, input)) return std::nullopt;
  LinearShape shape = LinearShape::identity(input[1]);
  shape.biased = options.flag("bias_term");
  return shape;
}

void read_map(const LayerSpec& spec, const Parameters& parameters, LinearMap& map) {
  map.kernel = read_numbers(parameters, spec, "scale");
  if (map.biased) map.bias = read_numbers(parameters, spec, "bias");
}

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("scale_param");
  const std::string factor = onnx_operand(layer, options, "scale");
  if (options.flag("bias_term"))
    layer.last("Add", {layer.before("Mul", {layer.inputs[0], factor}),
                       layer.parameter("bias", onnx_spread(layer, options))});
  else
    layer.last("Mul", {layer.inputs[0], factor});
}

OREPA_LAYER(Scale, "multiplies by a learned vector, or by a second bottom, along some axes")
    .keeps_channels()
    .linear({LinearRole::Kind::kNormalisation, linear_shape, read_map})
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
