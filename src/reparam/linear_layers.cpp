#include "reparam/linear_layers.h"

#include <cmath>

#include "layers/window.h"

namespace orepa {
namespace {

std::vector<double> read(const Parameters& parameters, const LayerSpec& spec,
                         const std::string& name) {
  const Parameter* parameter = parameters.find(spec.name, name);
  require(parameter != nullptr, spec.where(), "it has no parameter \"", name, "\"");
  const std::vector<float> values = parameters.read(*parameter);
  return {values.begin(), values.end()};
}

// O x I x taps to O x taps x I.
std::vector<double> channels_last(const std::vector<double>& kernel, int64_t outputs,
                                  int64_t inputs, int64_t taps) {
  std::vector<double> turned(kernel.size());
  for (int64_t o = 0; o < outputs; ++o)
    for (int64_t i = 0; i < inputs; ++i)
      for (int64_t tap = 0; tap < taps; ++tap)
        turned[(o * taps + tap) * inputs + i] = kernel[(o * inputs + i) * taps + tap];
  return turned;
}

LinearShape convolution(const LayerSpec& spec, int64_t channels) {
  const Options options = spec.options.message("convolution_param");
  LinearShape shape;
  shape.outputs = options.integer("num_output");
  shape.inputs = channels;
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

std::optional<LinearShape> inner_product(const LayerSpec& spec, const Shape& input) {
  const Options options = spec.options.message("inner_product_param");
  const int64_t axis = options.integer("axis");
  if (axis != 1 && axis != 1 - input.rank()) return std::nullopt;
  LinearShape shape;
  shape.outputs = options.integer("num_output");
  shape.inputs = input[1];
  for (int which = 0; which < input.rank() - 2; ++which) shape.axes[which].size = input[2 + which];
  shape.biased = options.flag("bias_term");
  return shape;
}

std::optional<LinearShape> normalisation(const LayerSpec& spec, int64_t channels) {
  const Options options = spec.options.message("batch_norm_param");
  if (options.has("use_global_stats") && !options.flag("use_global_stats")) return std::nullopt;
  LinearShape shape = LinearShape::identity(channels);
  if (spec.type == "BatchNormPad") shape.axes[0].pad = shape.axes[1].pad = options.integer("pad");
  shape.biased = true;
  return shape;
}

std::optional<LinearShape> scale(const LayerSpec& spec, const Shape& input) {
  const Options options = spec.options.message("scale_param");
  const int64_t axis = options.integer("axis"), axes = options.integer("num_axes");
  const bool channels = axes == 1 || (axes == -1 && input.rank() == 2);
  if ((axis != 1 && axis != 1 - input.rank()) || !channels) return std::nullopt;
  LinearShape shape = LinearShape::identity(input[1]);
  shape.biased = options.flag("bias_term");
  return shape;
}

std::optional<LinearShape> average(const LayerSpec& spec, const Shape& input, const Shape& output) {
  const Options options = spec.options.message("pooling_param");
  if (options.choice("pool") != "AVE" || options.flag("global_pooling")) return std::nullopt;
  const Pair kernel = read_pair(spec, options, "kernel_size", "kernel", 0);
  const Pair stride = read_pair(spec, options, "stride", "stride", 1);
  const Pair pad = read_pair(spec, options, "pad", "pad", 0);
  LinearShape shape = LinearShape::identity(input[1]);
  for (const int which : {0, 1}) {
    shape.axes[which] = {kernel[which], stride[which], pad[which], 1};
    if (shape.axes[which].output(input[2 + which]) != output[2 + which]) return std::nullopt;
  }
  return shape;
}

void read_kernel(LinearMap& map, const LayerSpec& spec, const Parameters& parameters) {
  map.kernel = read(parameters, spec, "weight");
  const int64_t inputs = map.inputs_per_group() * map.taps();
  if (spec.type == "InnerProduct" && spec.options.message("inner_product_param").flag("transpose"))
    map.kernel = channels_last(map.kernel, 1, inputs, map.outputs);
  map.kernel = channels_last(map.kernel, map.outputs, map.inputs_per_group(), map.taps());
  if (map.biased) map.bias = read(parameters, spec, "bias");
}

void read_normalisation(LinearMap& map, const LayerSpec& spec, const Parameters& parameters) {
  const std::vector<double> mean = read(parameters, spec, "mean");
  const std::vector<double> variance = read(parameters, spec, "variance");
  const double eps = spec.options.message("batch_norm_param").number("eps");
  map.kernel.assign(map.kernel.size(), 1.0);
  if (spec.type == "BatchNormPad") {
    map.kernel = read(parameters, spec, "scale");
    map.bias = read(parameters, spec, "bias");
  }
  for (int64_t c = 0; c < map.outputs; ++c) {
    map.kernel[c] /= std::sqrt(variance[c] + eps);
    map.bias[c] -= mean[c] * map.kernel[c];
  }
}

}  // namespace

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input,
                                        const Shape& output) {
  const bool images = input.rank() == 4 && output.rank() == 4;
  if (spec.type == "InnerProduct")
    return input.rank() == 2 || input.rank() == 4 ? inner_product(spec, input) : std::nullopt;
  if (!images && (input.rank() != 2 || output.rank() != 2)) return std::nullopt;
  if (spec.type == "BatchNorm" || spec.type == "BatchNormPad") return normalisation(spec, input[1]);
  if (spec.type == "Scale") return scale(spec, input);
  if (has_kernel(spec)) return convolution(spec, input[1]);
  if (spec.type == "Pooling") return average(spec, input, output);
  return std::nullopt;
}

LinearMap linear_map(const LayerSpec& spec, const LinearShape& shape,
                     const Parameters& parameters) {
  LinearMap map(shape);
  if (has_kernel(spec)) {
    read_kernel(map, spec, parameters);
  } else if (spec.type == "Scale") {
    map.kernel = read(parameters, spec, "scale");
    if (map.biased) map.bias = read(parameters, spec, "bias");
  } else if (spec.type == "Pooling") {
    map.kernel.assign(map.kernel.size(), 1.0 / static_cast<double>(map.taps()));
  } else {
    read_normalisation(map, spec, parameters);
  }
  return map;
}

std::vector<double> sum_factors(const LayerSpec& spec, size_t inputs) {
  if (spec.type != "Eltwise") return {};
  const Options options = spec.options.message("eltwise_param");
  if (options.choice("operation") != "SUM") return {};
  const std::vector<double> given = options.numbers("coeff");
  return given.empty() ? std::vector<double>(inputs, 1.0) : given;
}

bool has_kernel(const LayerSpec& spec) {
  return spec.type == "Convolution" || spec.type == "ORepaConv" || spec.type == "InnerProduct";
}

bool is_normalisation(const LayerSpec& spec) {
  return spec.type == "BatchNorm" || spec.type == "Scale";
}

}  // namespace orepa
