#include "layers/convolution_base.h"

#include "layers/arithmetic.h"
#include "layers/axis.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// Number k of a position of all axes but the channels'.
struct OfChannel {
  Numbers numbers;
  AxisView view;
  OREPA_HD float operator()(int64_t i, int64_t k) const { return numbers[view.position(i, k)]; }
};

}  // namespace

SpatialGeometry ConvolutionBase::read_geometry(Setup& setup, std::vector<int64_t>& window) {
  const Options options = setup.options().message("convolution_param");
  const Shape& x = setup.input(0);
  setup.require(setup.inputs() == setup.outputs(), "makes a top of each bottom, got ",
                setup.inputs(), " bottoms and ", setup.outputs(), " tops");
  SpatialGeometry g;
  g.axis = canonical_axis(setup, options.integer("axis"), x);
  ConvolutionWindows windows = read_windows(setup, g.axis);
  window = std::move(windows.kernel);
  g.stride = std::move(windows.stride);
  g.pad = std::move(windows.pad);
  g.dilation = std::move(windows.dilation);
  g.groups = options.integer("group");
  g.training = setup.backward();
  g.data_gradient = false;
  for (int i = 0; i < setup.inputs(); ++i) {
    setup.require(setup.input(i) == x, "bottom ", i, " must be as bottom 0, ", x.str(), ", got ",
                  setup.input(i).str());
    g.data_gradient = g.data_gradient || setup.input_gradient(i);
  }
  g.type = setup.takes_bfloat16();
  const int64_t channels = x[g.axis], outputs = options.integer("num_output");
  setup.require(outputs > 0, "num_output must be positive, got ", outputs);
  setup.require(g.groups > 0 && channels % g.groups == 0 && outputs % g.groups == 0,
                "group must divide the ", channels, " channels of the bottom and num_output ",
                outputs, ", got ", g.groups);
  return g;
}

void ConvolutionBase::declare_parameters(Setup& setup, int64_t outputs) {
  const Options options = setup.options().message("convolution_param");
  count_ = setup.inputs();
  kernel_ = declare_kernel(setup, geometry_);
  keep_packed_ = !setup.weights_change_every_pass();
  if (!options.flag("bias_term")) return;
  bias_ =
      setup.parameter("bias", {outputs}, Filler::from(options, "bias_filler", Filler::constant(0)));
}

Handle ConvolutionBase::declare_kernel(Setup& setup, const SpatialGeometry& geometry) {
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
  const int64_t channels = top[geometry_.axis];
  if (bias_ >= 0)
    bias_scratch_ =
        setup.scratch(Stage::kBackward, reduce_columns_scratch(top.count() / channels, channels));
}

void ConvolutionBase::bias_gradient(Pass& pass, int top) {
  if (bias_ < 0) return;
  const Tensor dbias = pass.gradient(bias_);
  if (!dbias) return;
  const Tensor dy = pass.output_gradient(top);
  const AxisView view = AxisView::of(dy.shape, geometry_.axis);
  const auto sum = [&](const auto& numbers) {
    reduce_columns(pass.device(), view.positions(), view.extent, numbers, dbias.floats(),
                   adds(pass, bias_, top), pass.floats(bias_scratch_));
  };
  if (view.inner == 1)
    sum(Element{dy, view.extent});
  else
    sum(OfChannel{dy, view});
}

int64_t ConvolutionBase::macs() const {
  const Shape& kernel = geometry_.kernel;
  return count_ * geometry_.output().count() * kernel.count(1, kernel.rank());
}

void write_convolution(const OnnxLayer& layer, const std::string& type) {
  const Options options = layer.options("convolution_param");
  const Shape& x = layer.input_shapes[0];
  const auto axis = static_cast<int>(canonical_axis(options.integer("axis"), x));
  const bool has_windows = axis + 1 < x.rank();
  const ConvolutionWindows w = has_windows ? read_windows(layer.spec, options, x.rank() - axis - 1)
                                           : ConvolutionWindows{{1}, {1}, {0}, {1}};
  std::vector<int64_t> pads = w.pad;
  pads.insert(pads.end(), w.pad.begin(), w.pad.end());
  const std::vector<OnnxAttribute> attributes{{"kernel_shape", w.kernel},
                                              {"strides", w.stride},
                                              {"pads", pads},
                                              {"dilations", w.dilation},
                                              {"group", options.integer("group")}};
  std::vector<std::string> inputs{"", layer.parameter("weight")};
  if (options.flag("bias_term")) inputs.push_back(layer.parameter("bias"));
  if (axis == 1 && has_windows) {
    for (size_t k = 0; k < layer.inputs.size(); ++k) {
      inputs[0] = layer.inputs[k];
      layer.make(k, type, inputs, attributes);
    }
    return;
  }
  // ONNX has one axis before the channels, and one at least behind them.
  std::vector<int64_t> extents{x.count(0, axis)};
  extents.insert(extents.end(), x.extents().begin() + axis, x.extents().end());
  if (!has_windows) {
    extents.push_back(1);
    inputs[1] = layer.before("Unsqueeze", {inputs[1], layer.integers("axes", {2})});
  }
  for (size_t k = 0; k < layer.inputs.size(); ++k) {
    inputs[0] = layer.reshaped(layer.inputs[k], Shape(extents));
    layer.make(
        k, "Reshape",
        {layer.before(type, inputs, attributes), layer.shape_constant(layer.output_shapes[k])});
  }
}

int64_t convolution_channels(const LayerSpec& spec, const std::vector<int64_t>&) {
  const Options options = spec.options.message("convolution_param");
  return options.integer("axis") == 1 ? options.integer("num_output") : 0;
}

}  // namespace orepa
