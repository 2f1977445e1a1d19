#include "layers/elementwise.h"
#include "layers/exponential.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// Binomial normal log likelihood, better known as softplus.
struct BNLLFunction : NumberFunction {
  OREPA_HD float value(float x) const {
    return (x > 0 ? x : 0) + logarithm_of_one_and(exponential(-fabsf(x)));
  }
  // 1 / (1 + exp(-x)) by what y says of x.
  OREPA_HD float slope(float y) const { return -exponential_less_one(-y); }
};

class BNLL : public Elementwise<BNLLFunction> {};

void write_onnx(const OnnxLayer& layer) { layer.last("Softplus", layer.inputs); }

OREPA_LAYER(BNLL, "y = log(1 + exp(x))").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
