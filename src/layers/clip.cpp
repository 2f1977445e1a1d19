#include "layers/elementwise.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// As in Caffe, the gradient flows at both limits too, so y does not tell where it does.
struct ClipFunction : NumberFunction {
  float min = 0, max = 0;
  void read(const Setup& setup) {
    const Options options = setup.options().message("clip_param");
    setup.require(options.has("min") && options.has("max"),
                  "needs both limits: clip_param { min: A max: B }");
    min = static_cast<float>(options.number("min"));
    max = static_cast<float>(options.number("max"));
    setup.require(min <= max, "min must not be larger than max, got ", min, " and ", max);
  }
  SlopeOf slope_of() const { return SlopeOf::kInput; }
  OREPA_HD float value(float x) const { return x < min ? min : x > max ? max : x; }
  OREPA_HD float slope(float x) const { return x >= min && x <= max ? 1 : 0; }
};

class Clip : public Elementwise<ClipFunction> {};

void write_onnx(const OnnxLayer& layer) {
  const auto limit = [&](const std::string& name) {
    const double value = layer.options("clip_param").number(name);
    return layer.constant(name, {}, {static_cast<float>(value)});
  };
  layer.last("Clip", {layer.inputs[0], limit("min"), limit("max")});
}

OREPA_LAYER(Clip, "y = min(max(x, min), max)").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
