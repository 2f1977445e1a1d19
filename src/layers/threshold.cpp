#include "layers/elementwise.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

float threshold_of(const Options& layer) {
  return static_cast<float>(layer.message("threshold_param").number("threshold"));
}

struct Step {
  float threshold;
  OREPA_HD float value(float x) const { return x > threshold ? 1 : 0; }
};

// Its derivative is zero wherever there is one: no gradient flows back.
class Threshold : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    step_.threshold = threshold_of(setup.options());
    setup.takes_bfloat16();
    setup.output_may_overwrite_input(0, 0);
    setup.forward_only();
    return {setup.input(0)};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    parallel_for(pass.device(), x.count(), ElementwiseForward<Step>{step_, x, pass.output(0)});
  }

 private:
  Step step_{};
};

void write_onnx(const OnnxLayer& layer) {
  const float threshold = threshold_of(layer.spec.options);
  const std::string above =
      layer.before("Greater", {layer.inputs[0], layer.constant("threshold", {1}, {threshold})});
  layer.last("Cast", {above}, {{"to", kOnnxFloat}});
}

OREPA_LAYER(Threshold, "1 where x > threshold, else 0").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
