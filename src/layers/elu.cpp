#include "layers/elementwise.h"
#include "layers/exponential.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

float alpha_of(const Options& layer) {
  return static_cast<float>(layer.message("elu_param").number("alpha"));
}

struct ELUFunction : NumberFunction {
  float alpha = 1;
  void read(const Setup& setup) { alpha = alpha_of(setup.options()); }
  // With an alpha >= 0, y has the sign of x, and x need not be kept.
  SlopeOf slope_of() const { return alpha >= 0 ? SlopeOf::kOutput : SlopeOf::kInput; }
  OREPA_HD float value(float x) const {
    const float low = alpha * exponential_less_one(x);
    return x > 0 ? x : low;
  }
  OREPA_HD float slope(float known) const {
    if (known > 0) return 1;
    return alpha >= 0 ? known + alpha : alpha * exponential(known);
  }
};

class ELU : public Elementwise<ELUFunction> {};

void write_onnx(const OnnxLayer& layer) {
  layer.last("Elu", layer.inputs, {{"alpha", alpha_of(layer.spec.options)}});
}

OREPA_LAYER(ELU, "y = x where x > 0, else alpha * (exp(x) - 1)").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
