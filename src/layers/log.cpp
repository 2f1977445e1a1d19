#include "layers/elementwise.h"
#include "layers/exponential.h"
#include "layers/logarithm.h"
#include "layers/onnx_affine.h"

namespace orepa {
namespace {

struct LogFunction : NumberFunction {
  float scale = 1, shift = 0, factor = 1;  // the factor is 1 / log(base)
  void read(const Setup& setup) {
    const Options options = setup.options().message("log_param");
    const double log = log_of_base(setup, options);
    setup.require(log != 0, "there are no logarithms of base 1; leave base out for e");
    scale = static_cast<float>(options.number("scale"));
    shift = static_cast<float>(options.number("shift"));
    factor = static_cast<float>(1 / log);
  }
  SlopeOf slope_of() const { return SlopeOf::kInput; }
  OREPA_HD float value(float x) const { return factor * logarithm(shift + scale * x); }
  OREPA_HD float slope(float x) const { return factor * scale / (shift + scale * x); }
};

class Log : public Elementwise<LogFunction> {};

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("log_param");
  const std::string inside =
      onnx_affine(layer, layer.inputs[0], static_cast<float>(options.number("scale")),
                  static_cast<float>(options.number("shift")));
  const auto factor = static_cast<float>(1 / log_of_base(options));
  if (factor == 1)
    layer.last("Log", {inside});
  else
    layer.last("Mul", {layer.before("Log", {inside}), layer.constant("factor", {1}, {factor})});
}

OREPA_LAYER(Log, "y = log(shift + scale * x) to a base").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
