#include "net_builder.h"

#include <cmath>

namespace orepa::zoo {
namespace {

// The square root of 5: the bound sqrt(6 / ((1 + a^2) fan_in)) becomes 1 / sqrt(fan_in).
constexpr float kSlope = 2.236068f;

void draw_as_published(FillerParameter& filler) {
  filler.set_type("kaiming_uniform");
  filler.set_slope(kSlope);
}

}  // namespace

LayerParameter& NetBuilder::add(const std::string& name, const std::string& type,
                                const std::vector<std::string>& bottoms, const std::string& top) {
  LayerParameter& layer = *net_.add_layer();
  layer.set_name(name);
  layer.set_type(type);
  for (const std::string& bottom : bottoms) layer.add_bottom(bottom);
  layer.add_top(top);
  return layer;
}

std::string NetBuilder::convolution_norm(const std::string& name, const std::string& bottom,
                                         int outputs, const Window& window, int groups) {
  ConvolutionParameter& convolution =
      *add(name, "Convolution", {bottom}, name).mutable_convolution_param();
  convolution.set_num_output(static_cast<uint32_t>(outputs));
  convolution.add_kernel_size(static_cast<uint32_t>(window.kernel));
  if (window.pad != 0) convolution.add_pad(static_cast<uint32_t>(window.pad));
  if (window.stride != 1) convolution.add_stride(static_cast<uint32_t>(window.stride));
  if (groups != 1) convolution.set_group(static_cast<uint32_t>(groups));
  convolution.set_bias_term(false);
  draw_as_published(*convolution.mutable_weight_filler());
  add(name + ".bn", "BatchNorm", {name}, name)
      .mutable_batch_norm_param()
      ->set_moving_average_fraction(0.9f);
  add(name + ".scale", "Scale", {name}, name).mutable_scale_param()->set_bias_term(true);
  return name;
}

std::string NetBuilder::relu(const std::string& name, const std::string& blob) {
  add(name, "ReLU", {blob}, blob);
  return blob;
}

std::string NetBuilder::global_average(const std::string& name, const std::string& bottom) {
  PoolingParameter& pool = *add(name, "Pooling", {bottom}, name).mutable_pooling_param();
  pool.set_pool(PoolingParameter::AVE);
  pool.set_global_pooling(true);
  return name;
}

std::string NetBuilder::sum(const std::string& name, const std::string& a, const std::string& b) {
  add(name, "Eltwise", {a, b}, name);
  return name;
}

std::string NetBuilder::linear(const std::string& name, const std::string& bottom, int inputs,
                               int outputs) {
  InnerProductParameter& product =
      *add(name, "InnerProduct", {bottom}, name).mutable_inner_product_param();
  product.set_num_output(static_cast<uint32_t>(outputs));
  draw_as_published(*product.mutable_weight_filler());
  const auto bound = static_cast<float>(1 / std::sqrt(static_cast<double>(inputs)));
  product.mutable_bias_filler()->set_type("uniform");
  product.mutable_bias_filler()->set_min(-bound);
  product.mutable_bias_filler()->set_max(bound);
  return name;
}

}  // namespace orepa::zoo
