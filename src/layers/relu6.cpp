#include "layers/elementwise.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct ReLU6Function : NumberFunction {
  OREPA_HD float value(float x) const { return x < 0 ? 0 : x > 6 ? 6 : x; }
  OREPA_HD float slope(float y) const { return y > 0 && y < 6 ? 1 : 0; }
};

class ReLU6 : public Elementwise<ReLU6Function> {};

void write_onnx(const OnnxLayer& layer) {
  layer.last("Clip",
             {layer.inputs[0], layer.constant("min", {}, {0}), layer.constant("max", {}, {6})});
}

OREPA_LAYER(ReLU6, "y = min(max(0, x), 6)").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
