#include "layers/elementwise.h"
#include "layers/exponential.h"
#include "layers/onnx_affine.h"

namespace orepa {
namespace {

float beta_of(const Options& layer) {
  return static_cast<float>(layer.message("swish_param").number("beta"));
}

struct SwishFunction : NumberFunction {
  float beta = 1;
  void read(const Setup& setup) { beta = beta_of(setup.options()); }
  SlopeOf slope_of() const { return SlopeOf::kInput; }
  OREPA_HD float sigmoid(float x) const { return logistic(beta * x); }
  OREPA_HD float value(float x) const { return x * sigmoid(x); }
  OREPA_HD float slope(float x) const {
    const float s = sigmoid(x);
    return s + beta * x * s * (1 - s);
  }
};

class Swish : public Elementwise<SwishFunction> {};

void write_onnx(const OnnxLayer& layer) {
  const std::string& x = layer.inputs[0];
  const std::string scaled = onnx_affine(layer, x, beta_of(layer.spec.options), 0);
  layer.last("Mul", {x, layer.before("Sigmoid", {scaled})});
}

OREPA_LAYER(Swish, "y = x / (1 + exp(-beta * x))").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
