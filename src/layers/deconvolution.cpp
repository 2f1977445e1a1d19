#include <algorithm>
#include <limits>

#include "layers/axis.h"
#include "layers/convolution_base.h"
#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// Where channels are innermost, one is a column, else a row.
struct AddBias {
  Numbers y;
  const float* bias;
  int64_t columns, channels;
  bool is_column;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * columns + j;
    y.set(i, y[i] + bias[is_column ? j : r % channels]);
  }
};

// What a convolution does to gradients: its plan reads the top as its input and the bottom as its
// output.
class Deconvolution : public ConvolutionBase {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    SpatialGeometry& g = geometry_;
    std::vector<int64_t> window;
    g = read_geometry(setup, window);
    const bool gradients_wanted = g.data_gradient;
    g.training = g.data_gradient = true;  // forward() is the plan's backward_data()
    const int64_t outputs = setup.options().message("convolution_param").integer("num_output");
    std::vector<int64_t> extents(x.extents().begin(), x.extents().begin() + g.axis);
    extents.push_back(outputs);
    for (size_t a = 0; a < window.size(); ++a)
      extents.push_back(g.stride[a] * (x.extents()[g.axis + 1 + a] - 1) +
                        g.dilation[a] * (window[a] - 1) + 1 - 2 * g.pad[a]);
    const Shape y(std::move(extents));
    setup.require(*std::min_element(y.extents().begin(), y.extents().end()) > 0, "pad ",
                  Shape(g.pad).str(), " leaves nothing of a top, which would be ", y.str());
    setup.require(y.fits(std::numeric_limits<int64_t>::max()), "a top would be ", y.str());
    std::vector<int64_t> kernel{x[g.axis], outputs / g.groups};
    kernel.insert(kernel.end(), window.begin(), window.end());
    g.input = y;
    g.kernel = Shape(std::move(kernel));
    declare_parameters(setup, outputs);

    plan_ = spatial_convolution(setup.device(), g);
    declare_packed(setup, ConvolutionPlan::kBackwardData, Stage::kForward);
    forward_workspace_ = setup.scratch(Stage::kForward, plan_->backward_data_workspace());
    if (setup.backward()) {
      if (gradients_wanted) declare_packed(setup, ConvolutionPlan::kForward, Stage::kBackward);
      backward_workspace_ =
          setup.scratch(Stage::kBackward,
                        std::max(plan_->forward_workspace(), plan_->backward_kernel_workspace()));
      declare_bias_gradient(setup, y);
      for (int i = 0; i < count_; ++i) setup.backward_reads_input(i);
    }
    return std::vector<Shape>(static_cast<size_t>(count_), y);
  }

  void forward(Pass& pass) override {
    const void* kernel = packed(pass, ConvolutionPlan::kBackwardData);
    for (int i = 0; i < count_; ++i) {
      const Tensor y = pass.output(i);
      plan_->backward_data(pass.input(i).data, kernel, y.data, pass.memory(forward_workspace_));
      if (bias_ >= 0) add_bias(pass, y);
    }
  }

  void backward(Pass& pass) override {
    void* workspace = pass.memory(backward_workspace_);
    const void* kernel = nullptr;
    for (int i = 0; i < count_; ++i) {
      const Tensor dy = pass.output_gradient(i);
      if (const Tensor dkernel = pass.gradient(kernel_))
        plan_->backward_kernel(dy.data, pass.input(i).data, dkernel.floats(),
                               adds(pass, kernel_, i), workspace);
      bias_gradient(pass, i);
      const Tensor dx = pass.input_gradient(i);
      if (!dx) continue;
      if (kernel == nullptr) kernel = packed(pass, ConvolutionPlan::kForward);
      plan_->forward(dy.data, kernel, nullptr, dx.data, workspace);
    }
  }

 private:
  void add_bias(Pass& pass, const Tensor& y) const {
    const AxisView view = AxisView::of(y.shape, geometry_.axis);
    const bool is_column = view.inner == 1;
    const int64_t columns = is_column ? view.extent : view.inner;
    parallel_rows(pass.device(), y.count() / columns, columns,
                  AddBias{y, pass.parameter(bias_).floats(), columns, view.extent, is_column});
  }

  Handle forward_workspace_ = -1, backward_workspace_ = -1;
};

OREPA_LAYER(Deconvolution, "convolution turned round: what it does to gradients")
    .channels(convolution_channels)
    .onnx([](const OnnxLayer& layer) { write_convolution(layer, "ConvTranspose"); });

}  // namespace
}  // namespace orepa
