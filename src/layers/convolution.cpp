#include "layers/convolution.h"

#include <algorithm>
#include <limits>

#include "layers/axis.h"
#include "layers/linear.h"
#include "orepa/onnx_layer.h"

namespace orepa {

std::vector<Shape> Convolution::setup(Setup& setup) {
  const Options options = setup.options().message("convolution_param");
  const Shape& x = setup.input(0);
  SpatialGeometry& g = geometry_;
  std::vector<int64_t> window;
  g = read_geometry(setup, window);
  std::vector<int64_t> kernel{options.integer("num_output"), x[g.axis] / g.groups};
  kernel.insert(kernel.end(), window.begin(), window.end());
  g.input = x;
  g.kernel = Shape(std::move(kernel));
  g.bias = options.flag("bias_term");
  g.relu = setup.absorbed("ReLU") != nullptr;
  const Shape y = g.output();
  setup.require(std::find(y.extents().begin(), y.extents().end(), 0) == y.extents().end(),
                "the kernel ", Shape(window).str(), " (dilated) is larger than the padded bottom ",
                x.str());
  declare_parameters(setup, g.kernel[0]);
  setup.require(y.fits(std::numeric_limits<int64_t>::max()), "a top would be ", y.str());

  plan_ = spatial_convolution(setup.device(), g);
  declare_packed(setup, ConvolutionPlan::kForward, Stage::kForward);
  forward_workspace_ = setup.scratch(Stage::kForward, plan_->forward_workspace());
  if (g.training) {
    if (g.data_gradient) declare_packed(setup, ConvolutionPlan::kBackwardData, Stage::kBackward);
    backward_workspace_ = setup.scratch(
        Stage::kBackward,
        std::max(plan_->backward_data_workspace(), plan_->backward_kernel_workspace()));
    declare_bias_gradient(setup, y);
    for (int i = 0; i < count_; ++i) setup.backward_reads_input(i);
  }
  return std::vector<Shape>(static_cast<size_t>(count_), y);
}

void Convolution::forward(Pass& pass) {
  const void* kernel = packed(pass, ConvolutionPlan::kForward);
  const float* bias = bias_ < 0 ? nullptr : pass.parameter(bias_).floats();
  for (int i = 0; i < count_; ++i)
    plan_->forward(pass.input(i).data, kernel, bias, pass.output(i).data,
                   pass.memory(forward_workspace_));
}

void Convolution::backward(Pass& pass) {
  void* workspace = pass.memory(backward_workspace_);
  const void* kernel = nullptr;
  for (int i = 0; i < count_; ++i) {
    const Tensor dy = pass.output_gradient(i);
    if (const Tensor dkernel = pass.gradient(kernel_))
      plan_->backward_kernel(pass.input(i).data, dy.data, dkernel.floats(), adds(pass, kernel_, i),
                             workspace);
    bias_gradient(pass, i);
    const Tensor dx = pass.input_gradient(i);
    if (!dx) continue;
    if (kernel == nullptr) kernel = packed(pass, ConvolutionPlan::kBackwardData);
    plan_->backward_data(dy.data, kernel, dx.data, workspace);
  }
}

namespace {

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  const Options options = spec.options.message("convolution_param");
  if (input.rank() != 4 || canonical_axis(options.integer("axis"), input) != 1) return std::nullopt;
  LinearShape shape;
  shape.outputs = options.integer("num_output");
  shape.inputs = input[1];
  shape.groups = options.integer("group");
  const ConvolutionWindows w = read_windows(spec, options, 2);
  for (const int which : {0, 1})
    shape.axes[which] = {w.kernel[which], w.stride[which], w.pad[which], w.dilation[which]};
  shape.biased = options.flag("bias_term");
  return shape;
}

void read_map(const LayerSpec& spec, const Parameters& parameters, LinearMap& map) {
  map.kernel = channels_last(read_numbers(parameters, spec, "weight"), map.outputs,
                             map.inputs_per_group(), map.taps());
  if (map.biased) map.bias = read_numbers(parameters, spec, "bias");
}

void write_onnx(const OnnxLayer& layer) { write_convolution(layer, "Conv"); }

}  // namespace

constinit const LinearRole kConvolutionMap{LinearRole::Kind::kKernel, linear_shape, read_map};

OREPA_LAYER(Convolution, "convolution, with groups, dilation and an optional bias")
    .linear(kConvolutionMap)
    .channels(convolution_channels)
    .onnx(write_onnx);

}  // namespace orepa
