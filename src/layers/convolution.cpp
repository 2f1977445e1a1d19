#include "layers/convolution.h"

#include <algorithm>

#include "layers/arithmetic.h"
#include "layers/linear.h"
#include "layers/window.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

ConvolutionGeometry read_geometry(Setup& setup) {
  const Options options = setup.options().message("convolution_param");
  const Shape& x = setup.input(0);
  setup.require(setup.inputs() == 1 && setup.outputs() == 1,
                "takes one bottom and makes one top, got ", setup.inputs(), " and ",
                setup.outputs());
  setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
  setup.require(options.integer("axis") == 1, "axis must be 1, got ", options.integer("axis"));

  ConvolutionGeometry g;
  g.input = x;
  const Pair kernel = read_pair(setup.spec(), options, "kernel_size", "kernel", 0);
  g.stride = read_pair(setup.spec(), options, "stride", "stride", 1);
  g.pad = read_pair(setup.spec(), options, "pad", "pad", 0);
  g.dilation = read_pair(setup.spec(), options, "dilation", "", 1);
  g.groups = options.integer("group");
  g.type = setup.takes_bfloat16();
  const int64_t outputs = options.integer("num_output");
  setup.require(outputs > 0, "num_output must be positive, got ", outputs);
  setup.require(kernel[0] > 0 && kernel[1] > 0, "kernel_size must be positive, got ", kernel[0],
                " x ", kernel[1]);
  setup.require(g.stride[0] > 0 && g.stride[1] > 0, "stride must be positive, got ", g.stride[0],
                " x ", g.stride[1]);
  setup.require(g.dilation[0] > 0 && g.dilation[1] > 0, "dilation must be positive, got ",
                g.dilation[0], " x ", g.dilation[1]);
  setup.require(g.groups > 0 && x[1] % g.groups == 0 && outputs % g.groups == 0,
                "group must divide the ", x[1], " channels of the bottom and num_output ", outputs,
                ", got ", g.groups);
  g.kernel = {outputs, x[1] / g.groups, kernel[0], kernel[1]};
  g.bias = options.flag("bias_term");
  g.relu = setup.absorbed("ReLU") != nullptr;
  g.training = setup.backward();
  g.data_gradient = setup.input_gradient(0);
  const Shape y = g.output();
  setup.require(y[2] > 0 && y[3] > 0, "the kernel ", kernel[0], " x ", kernel[1],
                " (dilated) is larger than the padded bottom ", x.str());
  return g;
}

}  // namespace

std::vector<Shape> Convolution::setup(Setup& setup) {
  geometry_ = read_geometry(setup);
  const Options options = setup.options().message("convolution_param");
  kernel_ = declare_kernel(setup, geometry_);
  if (geometry_.bias)
    bias_ = setup.parameter("bias", {geometry_.kernel[0]},
                            Filler::from(options, "bias_filler", Filler::constant(0)));

  plan_ = setup.device().convolution(geometry_);
  keep_packed_ = !setup.weights_change_every_pass();
  const auto place = [&](ConvolutionPlan::Direction direction, Stage stage) {
    const int64_t bytes = plan_->packed_bytes(direction);
    packed_[direction] = keep_packed_
                             ? setup.packed(kernel_, plan_->packed_layout(direction), bytes)
                             : setup.scratch(stage, bytes);
  };
  place(ConvolutionPlan::kForward, Stage::kForward);
  forward_workspace_ = setup.scratch(Stage::kForward, plan_->forward_workspace());
  if (geometry_.training) {
    if (geometry_.data_gradient) place(ConvolutionPlan::kBackwardData, Stage::kBackward);
    backward_workspace_ = setup.scratch(
        Stage::kBackward,
        std::max(plan_->backward_data_workspace(), plan_->backward_kernel_workspace()));
    const int64_t channels = geometry_.kernel[0], rows = geometry_.output().count() / channels;
    if (bias_ >= 0)
      bias_scratch_ = setup.scratch(Stage::kBackward, reduce_columns_scratch(rows, channels));
    setup.backward_reads_input(0);
  }
  return {geometry_.output()};
}

Handle Convolution::declare_kernel(Setup& setup, const ConvolutionGeometry& geometry) {
  setup.require(!setup.options().has("orepa_param"),
                "has an orepa_param, which only a layer of type ORepaConv reads");
  const Options options = setup.options().message("convolution_param");
  return setup.parameter("weight", geometry.kernel,
                         Filler::from(options, "weight_filler", Filler::constant(0)));
}

void Convolution::prepare(Pass& pass) {
  if (!keep_packed_) return;
  for (const auto direction : {ConvolutionPlan::kForward, ConvolutionPlan::kBackwardData})
    if (packed_[direction] >= 0 && !pass.is_current(packed_[direction]))
      plan_->pack(direction, pass.parameter(kernel_).floats(), pass.memory(packed_[direction]));
}

const void* Convolution::packed(Pass& pass, ConvolutionPlan::Direction direction) {
  void* packed = pass.memory(packed_[direction]);
  if (!keep_packed_) plan_->pack(direction, pass.parameter(kernel_).floats(), packed);
  return packed;
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
  if (bias_ >= 0)
    if (const Tensor dbias = pass.gradient(bias_)) {
      const int64_t channels = dbias.count();
      reduce_columns(pass.device(), dy.count() / channels, channels, Element{dy, channels},
                     dbias.floats(), pass.accumulates(bias_), pass.floats(bias_scratch_));
    }
  if (const Tensor dx = pass.input_gradient(0))
    plan_->backward_data(dy.data, packed(pass, ConvolutionPlan::kBackwardData), dx.data, workspace);
}

int64_t Convolution::macs() const {
  return geometry_.output().count() * geometry_.kernel.count(1, 4);
}

namespace {

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  const Options options = spec.options.message("convolution_param");
  LinearShape shape;
  shape.outputs = options.integer("num_output");
  shape.inputs = input[1];
  shape.groups = options.integer("group");
  const Pair kernel = read_pair(spec, options, "kernel_size", "kernel", 0);
  const Pair stride = read_pair(spec, options, "stride", "stride", 1);
  const Pair pad = read_pair(spec, options, "pad", "pad", 0);
  const Pair dilation = read_pair(spec, options, "dilation", "", 1);
  for (const int which : {0, 1})
    shape.axes[which] = {kernel[which], stride[which], pad[which], dilation[which]};
  shape.biased = options.flag("bias_term");
  return shape;
}

void read_map(const LayerSpec& spec, const Parameters& parameters, LinearMap& map) {
  map.kernel = channels_last(read_numbers(parameters, spec, "weight"), map.outputs,
                             map.inputs_per_group(), map.taps());
  if (map.biased) map.bias = read_numbers(parameters, spec, "bias");
}

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("convolution_param");
  const Pair pad = read_pair(layer.spec, options, "pad", "pad", 0);
  std::vector<std::string> inputs{layer.inputs[0], layer.parameter("weight")};
  if (options.flag("bias_term")) inputs.push_back(layer.parameter("bias"));
  layer.last(
      "Conv", inputs,
      {{"kernel_shape", onnx_ints(read_pair(layer.spec, options, "kernel_size", "kernel", 0))},
       {"strides", onnx_ints(read_pair(layer.spec, options, "stride", "stride", 1))},
       {"pads", std::vector<int64_t>{pad[0], pad[1], pad[0], pad[1]}},
       {"dilations", onnx_ints(read_pair(layer.spec, options, "dilation", "", 1))},
       {"group", options.integer("group")}});
}

}  // namespace

constinit const LinearRole kConvolutionMap{LinearRole::Kind::kKernel, linear_shape, read_map};

int64_t convolution_channels(const LayerSpec& spec, const std::vector<int64_t>&) {
  return spec.options.message("convolution_param").integer("num_output");
}

OREPA_LAYER(Convolution, "2-D convolution, with groups, dilation and an optional bias")
    .linear(kConvolutionMap)
    .channels(convolution_channels)
    .onnx(write_onnx);

}  // namespace orepa
