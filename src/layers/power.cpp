#include <algorithm>
#include <cmath>

#include "layers/elementwise.h"
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
  void read(const Setup& setup) { *this = PowerFunction(setup.spec()); }
  bool has_constant_slope() const { return power == 0 || power == 1 || scale == 0; }
  SlopeOf slope_of() const { return has_constant_slope() ? SlopeOf::kNothing : SlopeOf::kInput; }
  OREPA_HD float value(float x) const {
    const float base = shift + scale * x;
    return power == 1 ? base : power == 2 ? base * base : powf(base, power);
  }
  OREPA_HD float slope(float x) const {
    const float factor = power * scale;
    if (power == 1 || factor == 0) return factor;
    const float base = shift + scale * x;
    return factor * (power == 2 ? base : powf(base, power - 1));
  }
};

class Power : public Elementwise<PowerFunction> {};

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
