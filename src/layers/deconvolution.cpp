#include <algorithm>
#include <limits>

#include "layers/convolution_base.h"
#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

struct AddBias {
  Numbers y;
  const float* bias;
  int64_t channels;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    y.set(r * channels + c, y[r * channels + c] + bias[c]);
  }
};

// What a convolution does to gradients: its plan reads the top as its input and the bottom as its
// output.
class Deconvolution : public ConvolutionBase {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const ConvolutionWindows windows = read_windows(setup);
    const Shape& x = setup.input(0);
    ConvolutionGeometry& g = geometry_ = read_geometry(setup, windows);
    const int64_t outputs = setup.options().message("convolution_param").integer("num_output");
    std::vector<int64_t> extents{x[0], outputs};
    for (const int axis : {0, 1})
      extents.push_back(g.stride[axis] * (x[2 + axis] - 1) +
                        g.dilation[axis] * (windows.kernel[axis] - 1) + 1 - 2 * g.pad[axis]);
    const Shape y(extents);
    setup.require(y[2] > 0 && y[3] > 0, "pad ", g.pad[0], " x ", g.pad[1],
                  " leaves nothing of a top, which would be ", y.str());
    setup.require(y.fits(std::numeric_limits<int64_t>::max()), "a top would be ", y.str());
    g.input = y;
    g.kernel = {x[1], outputs / g.groups, windows.kernel[0], windows.kernel[1]};
    declare_parameters(setup, outputs);

    plan_ = setup.device().convolution(g);
    declare_packed(setup, ConvolutionPlan::kBackwardData, Stage::kForward);
    forward_workspace_ = setup.scratch(Stage::kForward, plan_->backward_data_workspace());
    if (setup.backward()) {
      if (setup.input_gradient(0))
        declare_packed(setup, ConvolutionPlan::kForward, Stage::kBackward);
      backward_workspace_ =
          setup.scratch(Stage::kBackward,
                        std::max(plan_->forward_workspace(), plan_->backward_kernel_workspace()));
      declare_bias_gradient(setup, y);
      setup.backward_reads_input(0);
    }
    return {y};
  }

  void forward(Pass& pass) override {
    const Tensor y = pass.output(0);
    plan_->backward_data(pass.input(0).data, packed(pass, ConvolutionPlan::kBackwardData), y.data,
                         pass.memory(forward_workspace_));
    if (bias_ < 0) return;
    const int64_t channels = y.shape[1];
    parallel_rows(pass.device(), y.count() / channels, channels,
                  AddBias{y, pass.parameter(bias_).floats(), channels});
  }

  void backward(Pass& pass) override {
    const Tensor dy = pass.output_gradient(0);
    void* workspace = pass.memory(backward_workspace_);
    if (const Tensor dkernel = pass.gradient(kernel_))
      plan_->backward_kernel(dy.data, pass.input(0).data, dkernel.floats(),
                             pass.accumulates(kernel_), workspace);
    bias_gradient(pass, dy);
    if (const Tensor dx = pass.input_gradient(0))
      plan_->forward(dy.data, packed(pass, ConvolutionPlan::kForward), nullptr, dx.data, workspace);
  }

 private:
  Handle forward_workspace_ = -1, backward_workspace_ = -1;
};

OREPA_LAYER(Deconvolution, "2-D convolution turned round: what it does to gradients")
    .channels(convolution_channels)
    .onnx([](const OnnxLayer& layer) { write_convolution(layer, "ConvTranspose"); });

}  // namespace
}  // namespace orepa
