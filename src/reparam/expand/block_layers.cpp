#include "reparam/expand/block_layers.h"

#include "orepa/error.h"

namespace orepa {
namespace {

// U(+-1 / sqrt(fan_in)), as the published code draws plain convolutions.
FillerParameter published_filler() {
  FillerParameter filler;
  filler.set_type("kaiming_uniform");
  filler.set_slope(2.236068f);
  return filler;
}

// "conv1.bn" -> "conv1.scale", "avgbn" -> "avgscale", "rbr_identity" -> "rbr_identity.scale"
std::string scale_name(const std::string& norm) {
  const size_t last_part = norm.rfind('.') + 1;  // 0 where there is no dot
  const size_t bn = norm.find("bn", last_part);
  return bn == std::string::npos ? norm + ".scale" : std::string(norm).replace(bn, 2, "scale");
}

// What a block says once more, in its own words.
void require_no_other_fields(LayerParameter layer) {
  layer.clear_name();
  layer.clear_type();
  layer.clear_bottom();
  layer.clear_top();
  layer.clear_param();
  layer.clear_include();
  layer.clear_exclude();
  layer.clear_phase();
  layer.clear_convolution_param();
  layer.clear_batch_norm_param();
  layer.clear_scale_param();
  std::vector<const google::protobuf::FieldDescriptor*> others;
  layer.GetReflection()->ListFields(layer, &others);
  require(others.empty(), "no block has its ", others.empty() ? "" : others[0]->name());
}

void set_window(ConvolutionParameter& convolution, const BranchWindow& window) {
  const auto number = [](int64_t value) { return static_cast<uint32_t>(value); };
  const auto [kernel, stride, pad, dilation] = window;
  if (kernel[0] == kernel[1]) {
    convolution.add_kernel_size(number(kernel[0]));
  } else {
    convolution.set_kernel_h(number(kernel[0]));
    convolution.set_kernel_w(number(kernel[1]));
  }
  if (pad[0] != pad[1]) {
    convolution.set_pad_h(number(pad[0]));
    convolution.set_pad_w(number(pad[1]));
  } else if (pad[0] != 0) {
    convolution.add_pad(number(pad[0]));
  }
  if (stride[0] != stride[1]) {
    convolution.set_stride_h(number(stride[0]));
    convolution.set_stride_w(number(stride[1]));
  } else if (stride[0] != 1) {
    convolution.add_stride(number(stride[0]));
  }
  if (dilation != Pair{1, 1}) {
    convolution.add_dilation(number(dilation[0]));
    if (dilation[0] != dilation[1]) convolution.add_dilation(number(dilation[1]));
  }
}

}  // namespace

BlockLayers::BlockLayers(const Chain& chain) : chain_(chain) {
  require(chain.clear, "what follows it in phase TRAIN is not what follows it in TEST");
  require(chain.bottom() != chain.top(), "it writes over its bottom");
  for (const int axis : {0, 1}) {
    const int64_t wanted = chain.dilation[axis] * (chain.kernel[axis] / 2);
    require(chain.pad[axis] == wanted, "it is padded by ", chain.pad[axis],
            "; the style's block is for a padding of ", wanted, ", which keeps the size");
  }
  for (const LayerParameter* layer : {chain.convolution, chain.norm, chain.scale})
    if (layer != nullptr) require_no_other_fields(*layer);
}

std::string BlockLayers::full(const std::string& name) const {
  return chain_.convolution->name() + "." + name;
}

LayerParameter& BlockLayers::add(const std::string& name, const std::string& type,
                                 const std::string& bottom) {
  LayerParameter& layer = block_.layers.emplace_back();
  layer.set_name(full(name));
  layer.set_type(type);
  layer.add_bottom(bottom);
  layer.add_top(full(name));
  *layer.mutable_include() = chain_.convolution->include();
  *layer.mutable_exclude() = chain_.convolution->exclude();
  if (chain_.convolution->has_phase()) layer.set_phase(chain_.convolution->phase());
  return layer;
}

LayerParameter& BlockLayers::origin(const std::string& name) {
  const size_t place = block_.layers.size();
  LayerParameter& convolution = add(name, "Convolution", bottom());
  *convolution.mutable_param() = chain_.convolution->param();
  *convolution.mutable_convolution_param() = chain_.convolution->convolution_param();
  if (!convolution.convolution_param().has_weight_filler())
    *convolution.mutable_convolution_param()->mutable_weight_filler() = published_filler();
  block_.takes[full(name)] = chain_.convolution->name();
  ends_.push_back(full(name));
  if (chain_.norm != nullptr) {
    LayerParameter& norm = add(name + ".bn", "BatchNorm", full(name));
    norm.set_top(0, full(name));
    *norm.mutable_param() = chain_.norm->param();
    if (chain_.norm->has_batch_norm_param())
      *norm.mutable_batch_norm_param() = chain_.norm->batch_norm_param();
    block_.takes[norm.name()] = chain_.norm->name();
  }
  if (chain_.scale != nullptr) {
    LayerParameter& scale = add(name + ".scale", "Scale", full(name));
    scale.set_top(0, full(name));
    *scale.mutable_param() = chain_.scale->param();
    *scale.mutable_scale_param() = chain_.scale->scale_param();
    block_.takes[scale.name()] = chain_.scale->name();
  }
  return block_.layers[place];
}

LayerParameter& BlockLayers::convolution(const std::string& name, const std::string& bottom,
                                         int64_t outputs, const BranchWindow& window) {
  LayerParameter& layer = add(name, "Convolution", bottom);
  if (chain_.convolution->param_size() > 0) *layer.add_param() = chain_.convolution->param(0);
  const ConvolutionParameter& given = chain_.convolution->convolution_param();
  ConvolutionParameter& convolution = *layer.mutable_convolution_param();
  convolution.set_num_output(static_cast<uint32_t>(outputs));
  convolution.set_bias_term(false);
  if (chain_.groups > 1) convolution.set_group(static_cast<uint32_t>(chain_.groups));
  *convolution.mutable_weight_filler() =
      given.has_weight_filler() ? given.weight_filler() : published_filler();
  set_window(convolution, window);
  return layer;
}

// Like the chain's; as published where it has none.
BatchNormParameter BlockLayers::statistics() const {
  BatchNormParameter statistics;
  if (chain_.norm != nullptr)
    statistics = chain_.norm->batch_norm_param();
  else
    statistics.set_moving_average_fraction(0.9f);
  return statistics;
}

ParamSpecs BlockLayers::affine_specs() const {
  if (chain_.scale != nullptr) return chain_.scale->param();
  ParamSpecs specs;
  for (int blob = 0; blob < 2; ++blob) specs.Add()->set_decay_mult(0);
  return specs;
}

void BlockLayers::padded_norm(const std::string& name, const std::string& bottom) {
  LayerParameter& norm = add(name, "BatchNormPad", bottom);
  *norm.mutable_batch_norm_param() = statistics();
  norm.mutable_batch_norm_param()->set_pad(static_cast<uint32_t>(chain_.pad[0]));
  if (chain_.norm != nullptr) *norm.mutable_param() = chain_.norm->param();
  const ParamSpecs affine = affine_specs();
  if (affine.empty()) return;
  constexpr int kStatistics = 3;  // blobs in front of scale and bias
  while (norm.param_size() < kStatistics) norm.add_param();
  norm.mutable_param()->MergeFrom(affine);
}

void BlockLayers::end_branch(const std::string& name, const std::string& bottom) {
  const std::string blob = bottom == chain_.bottom() ? full(name) : bottom;
  LayerParameter& norm = add(name, "BatchNorm", bottom);
  norm.set_top(0, blob);
  *norm.mutable_batch_norm_param() = statistics();
  if (chain_.norm != nullptr) *norm.mutable_param() = chain_.norm->param();
  LayerParameter& scale = add(scale_name(name), "Scale", blob);
  scale.set_top(0, blob);
  *scale.mutable_param() = affine_specs();
  if (chain_.scale != nullptr)
    *scale.mutable_scale_param() = chain_.scale->scale_param();
  else
    scale.mutable_scale_param()->set_bias_term(true);
  block_.silent.push_back(scale.name());
  ends_.push_back(blob);
}

Block BlockLayers::sum(const std::string& name) {
  LayerParameter& sum = add("", "Eltwise", "");
  sum.set_name(chain_.convolution->name());
  sum.set_top(0, chain_.top());
  sum.clear_bottom();
  for (const std::string& blob : ends_) sum.add_bottom(blob);
  block_.name = text(name, " of ", ends_.size(), " branches");
  return std::move(block_);
}

}  // namespace orepa
