#include <cmath>

#include "layers/elementwise.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct AbsoluteFunction : NumberFunction {
  SlopeOf slope_of() const { return SlopeOf::kInput; }
  OREPA_HD float value(float x) const { return fabsf(x); }
  OREPA_HD float slope(float x) const { return x > 0 ? 1 : x < 0 ? -1 : 0; }
};

class AbsVal : public Elementwise<AbsoluteFunction> {};

void write_onnx(const OnnxLayer& layer) { layer.last("Abs", layer.inputs); }

OREPA_LAYER(AbsVal, "y = |x|").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
