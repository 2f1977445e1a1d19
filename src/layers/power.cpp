#include <algorithm>
#include <memory>

#include "layers/elementwise.h"
#include "layers/exponential.h"
#include "layers/onnx_affine.h"

namespace orepa {
namespace {

struct PowerFunction : NumberFunction {
  float power = 1, scale = 1, shift = 0;

  PowerFunction() = default;
  explicit PowerFunction(const LayerSpec& spec) {
    const Options options = spec.options.message("power_param");
    power = static_cast<float>(options.number("power"));
    scale = static_cast<float>(options.number("scale"));
    shift = static_cast<float>(options.number("shift"));
  }
  OREPA_HD bool has_constant_slope() const { return power == 0 || power == 1 || scale == 0; }
  SlopeOf slope_of() const { return has_constant_slope() ? SlopeOf::kNothing : SlopeOf::kInput; }
  OREPA_HD float base(float x) const { return shift + scale * x; }
};

// Of power 0, 1 or 2.
struct Polynomial : PowerFunction {
  using PowerFunction::PowerFunction;
  void read(const Setup& setup) { *this = Polynomial(setup.spec()); }
  OREPA_HD float value(float x) const {
    return power == 0 ? 1.0f : power == 1 ? base(x) : base(x) * base(x);
  }
  OREPA_HD float slope(float x) const {
    return power * scale * (has_constant_slope() ? 1.0f : base(x));
  }
};

struct AnyPower : PowerFunction {
  Raise raise, raise_slope;
  AnyPower() = default;
  explicit AnyPower(const LayerSpec& spec)
      : PowerFunction(spec),
        raise(power),
        raise_slope(scale == 0 ? 1 : power - 1) {}  // the slope is 0 then: of what is finite
  void read(const Setup& setup) { *this = AnyPower(setup.spec()); }
  OREPA_HD float value(float x) const { return raise(base(x)); }
  OREPA_HD float slope(float x) const { return power * scale * raise_slope(base(x)); }
};

class Power : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const float power = PowerFunction(setup.spec()).power;
    if (power == 0 || power == 1 || power == 2)
      layer_ = std::make_unique<Elementwise<Polynomial>>();
    else
      layer_ = std::make_unique<Elementwise<AnyPower>>();
    return layer_->setup(setup);
  }
  void forward(Pass& pass) override { layer_->forward(pass); }
  void backward(Pass& pass) override { layer_->backward(pass); }

 private:
  std::unique_ptr<Layer> layer_;
};

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  const PowerFunction f(spec);
  if (f.power != 1) return std::nullopt;
  LinearShape shape = LinearShape::identity(input[1]);
  shape.biased = f.shift != 0;
  return shape;
}

void read_map(const LayerSpec& spec, const Parameters&, LinearMap& map) {
  const PowerFunction f(spec);
  std::fill(map.kernel.begin(), map.kernel.end(), f.scale);
  std::fill(map.bias.begin(), map.bias.end(), f.shift);
}

void write_onnx(const OnnxLayer& layer) {
  const PowerFunction f(layer.spec);
  const std::string base = onnx_affine(layer, layer.inputs[0], f.scale, f.shift);
  if (f.power == 1)
    layer.last("Identity", {base});
  else
    layer.last("Pow", {base, layer.constant("power", {1}, {f.power})});
}

OREPA_LAYER(Power, "y = (shift + scale * x) ^ power")
    .keeps_channels()
    .linear({LinearRole::Kind::kNormalisation, linear_shape, read_map})
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
