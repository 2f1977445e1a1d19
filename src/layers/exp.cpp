#include "layers/elementwise.h"
#include "layers/exponential.h"
#include "layers/logarithm.h"
#include "layers/onnx_affine.h"

namespace orepa {
namespace {

// base ^ (shift + scale * x) = outer * exp(inner * x)
struct ExpFunction : NumberFunction {
  float inner = 1, outer = 1;
  void read(const Setup& setup) {
    const Options options = setup.options().message("exp_param");
    const double log = log_of_base(setup, options);
    inner = static_cast<float>(log * options.number("scale"));
    outer = static_cast<float>(std::exp(log * options.number("shift")));
  }
  OREPA_HD float value(float x) const { return outer * exponential(inner * x); }
  OREPA_HD float slope(float y) const { return inner * y; }
};

class Exp : public Elementwise<ExpFunction> {};

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("exp_param");
  const double log = log_of_base(options);
  layer.last("Exp",
             {onnx_affine(layer, layer.inputs[0], static_cast<float>(log * options.number("scale")),
                          static_cast<float>(log * options.number("shift")))});
}

OREPA_LAYER(Exp, "y = base ^ (shift + scale * x)").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
