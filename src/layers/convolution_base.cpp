#include "layers/convolution_base.h"

#include "layers/arithmetic.h"
#include "orepa/onnx_layer.h"

namespace orepa {

ConvolutionGeometry ConvolutionBase::read_geometry(Setup& setup,
                                                   const ConvolutionWindows& windows) {
  const Options options = setup.options().message("convolution_param");
  setup.require(setup.inputs() == 1 && setup.outputs() == 1,
                "takes one bottom and makes one top, got ", setup.inputs(), " and ",
                setup.outputs());
  ConvolutionGeometry g;
  g.stride = windows.stride;
  g.pad = windows.pad;
  g.dilation = windows.dilation;
  g.groups = options.integer("group");
  g.type = setup.takes_bfloat16();
  const int64_t channels = setup.input(0)[1], outputs = options.integer("num_output");
  setup.require(outputs > 0, "num_output must be positive, got ", outputs);
  setup.require(g.groups > 0 && channels % g.groups == 0 && outputs % g.groups == 0,
                "group must divide the ", channels, " channels of the bottom and num_output ",
                outputs, ", got ", g.groups);
  return g;
}

void ConvolutionBase::declare_parameters(Setup& setup, int64_t outputs) {
  const Options options = setup.options().message("convolution_param");
  kernel_ = declare_kernel(setup, geometry_);
  keep_packed_ = !setup.weights_change_every_pass();
  if (!options.flag("bias_term")) return;
  bias_ =
      setup.parameter("bias", {outputs}, Filler::from(options, "bias_filler", Filler::constant(0)));
}

Handle ConvolutionBase::declare_kernel(Setup& setup, const ConvolutionGeometry& geometry) {
  setup.require(!setup.options().has("orepa_param"),
                "has an orepa_param, which only a layer of type ORepaConv reads");
  const Options options = setup.options().message("convolution_param");
  return setup.parameter("weight", geometry.kernel,
                         Filler::from(options, "weight_filler", Filler::constant(0)));
}

void ConvolutionBase::declare_packed(Setup& setup, Direction direction, Stage stage) {
  const int64_t bytes = plan_->packed_bytes(direction);
  packed_[direction] = keep_packed_ ? setup.packed(kernel_, plan_->packed_layout(direction), bytes)
                                    : setup.scratch(stage, bytes);
}

void ConvolutionBase::prepare(Pass& pass) {
  if (!keep_packed_) return;
  for (const auto direction : {ConvolutionPlan::kForward, ConvolutionPlan::kBackwardData})
    if (packed_[direction] >= 0 && !pass.is_current(packed_[direction]))
      plan_->pack(direction, pass.parameter(kernel_).floats(), pass.memory(packed_[direction]));
}

const void* ConvolutionBase::packed(Pass& pass, Direction direction) {
  void* packed = pass.memory(packed_[direction]);
  if (!keep_packed_) plan_->pack(direction, pass.parameter(kernel_).floats(), packed);
  return packed;
}

void ConvolutionBase::declare_bias_gradient(Setup& setup, const Shape& top) {
  if (bias_ >= 0)
    bias_scratch_ =
        setup.scratch(Stage::kBackward, reduce_columns_scratch(top.count() / top[1], top[1]));
}

void ConvolutionBase::bias_gradient(Pass& pass, const Tensor& dy) {
  if (bias_ < 0) return;
  const Tensor dbias = pass.gradient(bias_);
  if (!dbias) return;
  const int64_t channels = dbias.count();
  reduce_columns(pass.device(), dy.count() / channels, channels, Element{dy, channels},
                 dbias.floats(), pass.accumulates(bias_), pass.floats(bias_scratch_));
}

int64_t ConvolutionBase::macs() const {
  return geometry_.output().count() * geometry_.kernel.count(1, 4);
}

void write_convolution(const OnnxLayer& layer, const std::string& type) {
  const Options options = layer.options("convolution_param");
  const ConvolutionWindows w = read_windows(layer.spec, options);
  std::vector<std::string> inputs{layer.inputs[0], layer.parameter("weight")};
  if (options.flag("bias_term")) inputs.push_back(layer.parameter("bias"));
  layer.last(type, inputs,
             {{"kernel_shape", onnx_ints(w.kernel)},
              {"strides", onnx_ints(w.stride)},
              {"pads", std::vector<int64_t>{w.pad[0], w.pad[1], w.pad[0], w.pad[1]}},
              {"dilations", onnx_ints(w.dilation)},
              {"group", options.integer("group")}});
}

int64_t convolution_channels(const LayerSpec& spec, const std::vector<int64_t>&) {
  return spec.options.message("convolution_param").integer("num_output");
}

}  // namespace orepa
