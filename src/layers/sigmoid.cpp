#include "layers/elementwise.h"
#include "layers/exponential.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct SigmoidFunction : NumberFunction {
  OREPA_HD float value(float x) const { return logistic(x); }
  OREPA_HD float slope(float y) const { return y * (1 - y); }
};

class Sigmoid : public Elementwise<SigmoidFunction> {};

void write_onnx(const OnnxLayer& layer) { layer.last("Sigmoid", layer.inputs); }

OREPA_LAYER(Sigmoid, "y = 1 / (1 + exp(-x))").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
