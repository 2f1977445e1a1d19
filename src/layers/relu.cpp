#include "orepa/layer.h"
#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct Forward {
  Numbers x;
  float slope;
  Numbers y;
  OREPA_HD void operator()(int64_t i) const { y.set(i, x[i] > 0 ? x[i] : slope * x[i]); }
};

struct Backward {
  Numbers sign, dy;  // a number of the sign of x
  float slope;
  Numbers dx;
  OREPA_HD void operator()(int64_t i) const { dx.set(i, sign[i] > 0 ? dy[i] : slope * dy[i]); }
};

class ReLU : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    setup.takes_bfloat16();
    slope_ = static_cast<float>(setup.options().message("relu_param").number("negative_slope"));
    // With a slope >= 0, y has the sign of x, and x need not be kept.
    reads_output_ = slope_ >= 0;
    if (reads_output_) {
      setup.backward_reads_output(0);
      setup.output_may_overwrite_input(0, 0);
    } else {
      setup.backward_reads_input(0);
    }
    setup.input_gradient_may_overwrite(0);
    return {setup.input(0)};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    parallel_for(pass.device(), x.count(), Forward{x, slope_, pass.output(0)});
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    const Tensor sign = reads_output_ ? pass.output(0) : pass.input(0);
    parallel_for(pass.device(), dx.count(), Backward{sign, pass.output_gradient(0), slope_, dx});
  }

 private:
  float slope_ = 0;
  bool reads_output_ = true;
};

void write_onnx(const OnnxLayer& layer) {
  const auto slope = static_cast<float>(layer.options("relu_param").number("negative_slope"));
  if (slope == 0)
    layer.last("Relu", layer.inputs);
  else
    layer.last("LeakyRelu", layer.inputs, {{"alpha", slope}});
}

OREPA_LAYER(ReLU, "y = x where x > 0, else negative_slope * x").keeps_channels().onnx(write_onnx);

}  // namespace
}  // namespace orepa
