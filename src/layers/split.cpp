#include "orepa/layer.h"
#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct AddNumbers {
  Numbers from, to;
  OREPA_HD void operator()(int64_t i) const { to.set(i, to[i] + from[i]); }
};

// The engine needs none of it: a blob may have any number of readers. Caffe writes it into files.
class Split : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    setup.require(setup.outputs() > 0, "names no top");
    setup.takes_bfloat16();
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    tops_ = setup.outputs();
    return std::vector<Shape>(static_cast<size_t>(tops_), setup.input(0));
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    for (int o = 0; o < tops_; ++o) copy(pass, x, pass.output(o));
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    copy(pass, pass.output_gradient(0), dx);
    for (int o = 1; o < tops_; ++o)
      parallel_for(pass.device(), dx.count(), AddNumbers{pass.output_gradient(o), dx});
  }

 private:
  static void copy(Pass& pass, const Tensor& from, const Tensor& to) {
    if (from.data != to.data) pass.device().copy(to.data, from.data, from.bytes());
  }
  int tops_ = 0;
};

void write_onnx(const OnnxLayer& layer) {
  for (size_t o = 0; o < layer.outputs.size(); ++o) layer.make(o, "Identity", layer.inputs);
}

OREPA_LAYER(Split, "the bottom in every top").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
