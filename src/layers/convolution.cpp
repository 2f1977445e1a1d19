#include "layers/convolution.h"

#include <algorithm>

#include "layers/linear.h"
#include "orepa/onnx_layer.h"

namespace orepa {

std::vector<Shape> Convolution::setup(Setup& setup) {
  const ConvolutionWindows windows = read_windows(setup);
  const Shape& x = setup.input(0);
  ConvolutionGeometry& g = geometry_ = read_geometry(setup, windows);
  const Options options = setup.options().message("convolution_param");
  const Pair& kernel = windows.kernel;
  g.input = x;
  g.kernel = {options.integer("num_output"), x[1] / g.groups, kernel[0], kernel[1]};
  g.bias = options.flag("bias_term");
  g.relu = setup.absorbed("ReLU") != nullptr;
  g.training = setup.backward();
  g.data_gradient = setup.input_gradient(0);
  const Shape y = g.output();
  setup.require(y[2] > 0 && y[3] > 0, "the kernel ", kernel[0], " x ", kernel[1],
                " (dilated) is larger than the padded bottom ", x.str());
  declare_parameters(setup, g.kernel[0]);

  plan_ = setup.device().convolution(g);
  declare_packed(setup, ConvolutionPlan::kForward, Stage::kForward);
  forward_workspace_ = setup.scratch(Stage::kForward, plan_->forward_workspace());
  if (g.training) {
    if (g.data_gradient) declare_packed(setup, ConvolutionPlan::kBackwardData, Stage::kBackward);
    backward_workspace_ = setup.scratch(
        Stage::kBackward,
        std::max(plan_->backward_data_workspace(), plan_->backward_kernel_workspace()));
    declare_bias_gradient(setup, y);
    setup.backward_reads_input(0);
  }
  return {y};
}

void Convolution::forward(Pass& pass) {
  plan_->forward(pass.input(0).data, packed(pass, ConvolutionPlan::kForward),
                 bias_ < 0 ? nullptr : pass.parameter(bias_).floats(), pass.output(0).data,
                 pass.memory(forward_workspace_));
}

void Convolution::backward(Pass& pass) {
  const Tensor dy = pass.output_gradient(0);
  void* workspace = pass.memory(backward_workspace_);
  if (const Tensor dkernel = pass.gradient(kernel_))
    plan_->backward_kernel(pass.input(0).data, dy.data, dkernel.floats(), pass.accumulates(kernel_),
                           workspace);
  bias_gradient(pass, dy);
  if (const Tensor dx = pass.input_gradient(0))
    plan_->backward_data(dy.data, packed(pass, ConvolutionPlan::kBackwardData), dx.data, workspace);
}

namespace {

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  const Options options = spec.options.message("convolution_param");
  LinearShape shape;
  shape.outputs = options.integer("num_output");
  shape.inputs = input[1];
  shape.groups = options.integer("group");
  const ConvolutionWindows w = read_windows(spec, options);
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

OREPA_LAYER(Convolution, "2-D convolution, with groups, dilation and an optional bias")
    .linear(kConvolutionMap)
    .channels(convolution_channels)
    .onnx(write_onnx);

}  // namespace orepa
