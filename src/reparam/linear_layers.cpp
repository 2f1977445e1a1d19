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

LinearMap convolution(const LayerSpec& spec, int64_t channels, const Parameters& parameters) {
  const Options options = spec.options.message("convolution_param");
  LinearMap map;
  map.outputs = options.integer("num_output");
  map.inputs = channels;
  map.groups = options.integer("group");
  const Pair kernel = read_pair(spec, options, "kernel_size", "kernel", 0);
  const Pair stride = read_pair(spec, options, "stride", "stride", 1);
  const Pair pad = read_pair(spec, options, "pad", "pad", 0);
  const Pair dilation = read_pair(spec, options, "dilation", "", 1);
  for (const int which : {0, 1})
    map.axes[which] = {kernel[which], stride[which], pad[which], dilation[which]};
  map.kernel = channels_last(read(parameters, spec, "weight"), map.outputs, map.inputs_per_group(),
                             map.taps());
  if (options.flag("bias_term")) map.bias = read(parameters, spec, "bias");
  return map;
}

std::optional<LinearMap> normalisation(const LayerSpec& spec, int64_t channels,
                                       const Parameters& parameters) {
  const Options options = spec.options.message("batch_norm_param");
  if (options.has("use_global_stats") && !options.flag("use_global_stats")) return std::nullopt;
  LinearMap map = LinearMap::identity(channels);
  const std::vector<double> mean = read(parameters, spec, "mean");
  const std::vector<double> variance = read(parameters, spec, "variance");
  const double eps = options.number("eps");
  map.bias.assign(static_cast<size_t>(channels), 0.0);
  if (spec.type == "BatchNormPad") {
    map.kernel = read(parameters, spec, "scale");
    map.bias = read(parameters, spec, "bias");
    map.axes[0].pad = map.axes[1].pad = options.integer("pad");
  }
  for (int64_t c = 0; c < channels; ++c) {
    map.kernel[c] /= std::sqrt(variance[c] + eps);
    map.bias[c] -= mean[c] * map.kernel[c];
  }
  return map;
}

std::optional<LinearMap> scale(const LayerSpec& spec, int64_t channels,
                               const Parameters& parameters) {
  const Options options = spec.options.message("scale_param");
  const int64_t axis = options.integer("axis");
  if ((axis != 1 && axis != 1 - 4) || options.integer("num_axes") != 1) return std::nullopt;
  LinearMap map = LinearMap::identity(channels);
  map.kernel = read(parameters, spec, "scale");
  if (options.flag("bias_term")) map.bias = read(parameters, spec, "bias");
  return map;
}

std::optional<LinearMap> average(const LayerSpec& spec, const Shape& input, const Shape& output) {
  const Options options = spec.options.message("pooling_param");
  if (options.choice("pool") != "AVE" || options.flag("global_pooling")) return std::nullopt;
  const Pair kernel = read_pair(spec, options, "kernel_size", "kernel", 0);
  const Pair stride = read_pair(spec, options, "stride", "stride", 1);
  const Pair pad = read_pair(spec, options, "pad", "pad", 0);
  LinearMap map = LinearMap::identity(input[1]);
  for (const int which : {0, 1}) {
    map.axes[which] = {kernel[which], stride[which], pad[which], 1};
    if (map.axes[which].output(input[2 + which]) != output[2 + which]) return std::nullopt;
  }
  map.kernel.assign(static_cast<size_t>(input[1] * map.taps()), 1.0 / map.taps());
  return map;
}

}  // namespace

std::optional<LinearMap> linear_map(const LayerSpec& spec, const Shape& input, const Shape& output,
                                    const Parameters& parameters) {
  if (input.rank() != 4 || output.rank() != 4) return std::nullopt;
  const int64_t channels = input[1];
  if (is_convolution(spec)) return convolution(spec, channels, parameters);
  if (spec.type == "BatchNorm" || spec.type == "BatchNormPad")
    return normalisation(spec, channels, parameters);
  if (spec.type == "Scale") return scale(spec, channels, parameters);
  if (spec.type == "Pooling") return average(spec, input, output);
  return std::nullopt;
}

std::vector<double> sum_factors(const LayerSpec& spec, size_t inputs) {
  if (spec.type != "Eltwise") return {};
  const Options options = spec.options.message("eltwise_param");
  if (options.choice("operation") != "SUM") return {};
  const std::vector<double> given = options.numbers("coeff");
  return given.empty() ? std::vector<double>(inputs, 1.0) : given;
}

bool is_convolution(const LayerSpec& spec) {
  return spec.type == "Convolution" || spec.type == "ORepaConv";
}

bool is_normalisation(const LayerSpec& spec) {
  return spec.type == "BatchNorm" || spec.type == "Scale";
}

}  // namespace orepa
