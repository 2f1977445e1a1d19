#include "layers/elementwise.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct ReLUFunction : NumberFunction {
  float negative_slope = 0;
  void read(const Setup& setup) {
    negative_slope =
        static_cast<float>(setup.options().message("relu_param").number("negative_slope"));
  }
  // With a slope >= 0, y has the sign of x, and x need not be kept.
  SlopeOf slope_of() const { return negative_slope >= 0 ? SlopeOf::kOutput : SlopeOf::kInput; }
  OREPA_HD float value(float x) const { return x > 0 ? x : negative_slope * x; }
  OREPA_HD float slope(float sign) const { return sign > 0 ? 1 : negative_slope; }
};

class ReLU : public Elementwise<ReLUFunction> {};

void write_onnx(const OnnxLayer& layer) {
  const auto slope = static_cast<float>(layer.options("relu_param").number("negative_slope"));
  if (slope == 0)
    layer.last("Relu", layer.inputs);
  else
    layer.last("LeakyRelu", layer.inputs, {{"alpha", slope}});
}

OREPA_LAYER(ReLU, "y = x where x > 0, else negative_slope * x").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
