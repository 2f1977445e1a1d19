#include "layers/elementwise.h"
#include "layers/exponential.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct TanHFunction : NumberFunction {
  OREPA_HD float value(float x) const { return hyperbolic_tangent(x); }
  OREPA_HD float slope(float y) const { return 1 - y * y; }
};

class TanH : public Elementwise<TanHFunction> {};

void write_onnx(const OnnxLayer& layer) { layer.last("Tanh", layer.inputs); }

OREPA_LAYER(TanH, "y = tanh(x)").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
