#include "layers/arithmetic.h"
#include "orepa/layer.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class Parameter : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("parameter_param");
    setup.require(options.has("shape"), "needs parameter_param.shape");
    const Shape shape(options.message("shape").integers("dim"));
    value_ = setup.parameter("value", shape, Filler::constant(0));
    return {shape};
  }
  void forward(Pass& pass) override {
    const Tensor y = pass.output(0);
    pass.device().copy(y.data, pass.parameter(value_).data, y.bytes());
  }
  void backward(Pass& pass) override {
    const Tensor gradient = pass.gradient(value_), dy = pass.output_gradient(0);
    if (!gradient) return;
    if (pass.accumulates(value_))
      parallel_for(pass.device(), dy.count(), AddTo{dy.floats(), gradient.floats()});
    else
      pass.device().copy(gradient.data, dy.data, dy.bytes());
  }

 private:
  Handle value_ = -1;
};

void write_onnx(const OnnxLayer& layer) { layer.last("Identity", {layer.parameter("value")}); }

OREPA_LAYER(Parameter, "a top of learned numbers, 0 at first").onnx(write_onnx);

}  // namespace
}  // namespace orepa
