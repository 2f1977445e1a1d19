#include "layers/axis.h"
#include "layers/broadcast.h"
#include "layers/linear.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct Forward {
  Broadcast spread;
  const float *x, *scale, *bias;
  float* y;
  OREPA_HD void operator()(int64_t i) const {
    const int64_t j = spread.small(i);
    y[i] = x[i] * scale[j] + (bias == nullptr ? 0.0f : bias[j]);
  }
};

struct InputGradient {
  Broadcast spread;
  const float *dy, *scale;
  float* dx;
  OREPA_HD void operator()(int64_t i) const { dx[i] = dy[i] * scale[spread.small(i)]; }
};

struct ScaleGradient {
  Broadcast spread;
  const float *x, *dy;  // x null: the bias
  OREPA_HD float operator()(int64_t j, int64_t k) const {
    const int64_t i = spread.large(j, k);
    return x == nullptr ? dy[i] : x[i] * dy[i];
  }
};

// y = x * scale (+ bias), with a learned scale, or with a second bottom as the scale.
class Scale : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("scale_param");
    const Shape& x = setup.input(0);
    const int axis = canonical_axis(setup, options.integer("axis"), x);
    two_bottoms_ = setup.inputs() == 2;
    Shape shape;
    if (two_bottoms_) {
      shape = setup.input(1);
    } else {
      const int64_t axes = options.integer("num_axes");
      setup.require(axes >= -1 && axis + axes <= x.rank(), "num_axes ", axes,
                    " reaches beyond the bottom ", x.str());
      const auto begin = x.extents().begin() + axis;
      shape = Shape(std::vector<int64_t>(begin, axes < 0 ? x.extents().end() : begin + axes));
    }
    setup.require(axis + shape.rank() <= x.rank(), "a scale of ", shape.str(), " from axis ", axis,
                  " reaches beyond the bottom ", x.str());
    for (int a = 0; a < shape.rank(); ++a)
      setup.require(shape[a] == x[axis + a], "a scale of ", shape.str(), " from axis ", axis,
                    " does not fit the bottom ", x.str());
    spread_ = Broadcast(x, shape, axis);
    if (!two_bottoms_)
      scale_ =
          setup.parameter("scale", shape, Filler::from(options, "filler", Filler::constant(1)));
    if (options.flag("bias_term"))
      bias_ =
          setup.parameter("bias", shape, Filler::from(options, "bias_filler", Filler::constant(0)));
    setup.backward_reads_input(0);
    if (two_bottoms_) setup.backward_reads_input(1);
    return {x};
  }

  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    parallel_for(
        pass.device(), x.count(),
        Forward{spread_, x.floats(), scale(pass).floats(),
                bias_ < 0 ? nullptr : pass.parameter(bias_).floats(), pass.output(0).floats()});
  }

  void backward(Pass& pass) override {
    const float *x = pass.input(0).floats(), *dy = pass.output_gradient(0).floats();
    const Tensor dscale = two_bottoms_ ? pass.input_gradient(1) : pass.gradient(scale_);
    if (dscale)
      reduce_rows(pass.device(), spread_.count(), spread_.rest(), ScaleGradient{spread_, x, dy},
                  dscale.floats(), !two_bottoms_ && pass.accumulates(scale_));
    if (bias_ >= 0)
      if (const Tensor dbias = pass.gradient(bias_))
        reduce_rows(pass.device(), spread_.count(), spread_.rest(),
                    ScaleGradient{spread_, nullptr, dy}, dbias.floats(), pass.accumulates(bias_));
    if (const Tensor dx = pass.input_gradient(0))
      parallel_for(pass.device(), dx.count(),
                   InputGradient{spread_, dy, scale(pass).floats(), dx.floats()});
  }

 private:
  Tensor scale(Pass& pass) const { return two_bottoms_ ? pass.input(1) : pass.parameter(scale_); }
  Broadcast spread_;
  bool two_bottoms_ = false;
  Handle scale_ = -1, bias_ = -1;
};

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  const Options options = spec.options.message("scale_param");
  const int64_t axis = options.integer("axis"), axes = options.integer("num_axes");
  const bool channels = axes == 1 || (axes == -1 && input.rank() == 2);
  if ((axis != 1 && axis != 1 - input.rank()) || !channels) return std::nullopt;
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
  const Shape& x = layer.input_shapes[0];
  const bool learned = layer.inputs.size() == 1;
  const int64_t axis = canonical_axis(options.integer("axis"), x);
  const int64_t axes =
      learned ? options.integer("num_axes") : static_cast<int64_t>(layer.input_shapes[1].rank());
  // What the numbers are spread over, aligned with the last axes of x: 1 behind the scaled ones.
  std::vector<int64_t> extents(x.extents().begin() + axis, x.extents().end());
  if (axes >= 0) std::fill(extents.begin() + axes, extents.end(), 1);
  const Shape spread(extents);
  std::string factor;
  if (learned)
    factor = layer.parameter("scale", spread);
  else if (layer.input_shapes[1] == spread)
    factor = layer.inputs[1];
  else
    factor = layer.before("Reshape", {layer.inputs[1], layer.shape_constant(spread)});
  if (options.flag("bias_term"))
    layer.last("Add",
               {layer.before("Mul", {layer.inputs[0], factor}), layer.parameter("bias", spread)});
  else
    layer.last("Mul", {layer.inputs[0], factor});
}

OREPA_LAYER(Scale, "multiplies by a learned vector, or by a second bottom, along some axes")
    .keeps_channels()
    .linear({LinearRole::Kind::kNormalisation, linear_shape, read_map})
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
