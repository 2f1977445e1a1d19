#include <cmath>

#include "layers/elementwise.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct TanHFunction {
  OREPA_HD static float value(float x) { return tanhf(x); }
  OREPA_HD static float slope(float y) { return 1 - y * y; }
};

class TanH : public Elementwise<TanHFunction> {};

void write_onnx(const OnnxLayer& layer) { layer.last("Tanh", layer.inputs); }

OREPA_LAYER(TanH, "y = tanh(x)").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
