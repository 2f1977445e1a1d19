#include "reparam/expand/orepa_layer.h"

#include <algorithm>

#include "orepa/model.h"

namespace orepa {
namespace {

// How many parameters the kernel is made of, asked of a layer with one input and one output a
// group, where the kernel meets an image of its own size.
int count_factors(LayerParameter layer) {
  ConvolutionParameter& convolution = *layer.mutable_convolution_param();
  const int64_t size =
      convolution.has_kernel_h() ? convolution.kernel_h() : convolution.kernel_size(0);
  ConvolutionParameter bare;
  bare.set_num_output(convolution.group());
  bare.set_group(convolution.group());
  bare.add_kernel_size(static_cast<uint32_t>(size));
  convolution = bare;
  layer.clear_include();
  layer.clear_exclude();
  layer.set_name("convolution");
  layer.set_bottom(0, "x");

  NetParameter net;
  LayerParameter& input = *net.add_layer();
  input.set_name("x");
  input.set_type("Input");
  input.add_top("x");
  BlobShape& shape = *input.mutable_input_param()->add_shape();
  for (const int64_t extent : {int64_t{1}, int64_t{bare.group()}, size, size})
    shape.add_dim(extent);
  *net.add_layer() = layer;

  const std::unique_ptr<Device> device = make_device("cpu");
  NetOptions options;
  options.precision = DType::kFloat32;
  options.allocate = false;
  const Model probe(NetSpec(net), *device, options);
  return static_cast<int>(std::count_if(probe.parameters.all().begin(),
                                        probe.parameters.all().end(),
                                        [](const auto& parameter) { return parameter->factor; }));
}

}  // namespace

void make_orepa(LayerParameter& convolution, const OrepaParameter& branches) {
  convolution.set_type("ORepaConv");
  convolution.mutable_convolution_param()->clear_weight_filler();
  *convolution.mutable_orepa_param() = branches;
  if (convolution.param_size() == 0) return;
  const ParamSpec of_weight = convolution.param(0);
  std::vector<ParamSpec> of_bias;
  if (convolution.param_size() > 1 && convolution.convolution_param().bias_term())
    of_bias.push_back(convolution.param(1));
  convolution.clear_param();
  if (of_bias.empty() && of_weight.lr_mult() == 1 && of_weight.decay_mult() == 1) return;
  for (int factors = count_factors(convolution); factors > 0; --factors)
    *convolution.add_param() = of_weight;
  for (const ParamSpec& spec : of_bias) *convolution.add_param() = spec;
}

void make_orepa(LayerParameter& convolution, OrepaParameter::Preset preset) {
  OrepaParameter branches;
  branches.set_preset(preset);
  make_orepa(convolution, branches);
}

}  // namespace orepa
