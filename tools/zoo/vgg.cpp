#include <array>

#include "networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

// The paper's authors recommend it where no smaller network is trained first. Biases start at 0.
constexpr const char* kFiller = "xavier";

std::string convolution_relu(NetBuilder& net, const std::string& name, const std::string& bottom,
                             int outputs) {
  ConvolutionParameter& convolution =
      *net.add(name, "Convolution", {bottom}, name).mutable_convolution_param();
  convolution.set_num_output(static_cast<uint32_t>(outputs));
  convolution.add_kernel_size(3);
  convolution.add_pad(1);
  convolution.mutable_weight_filler()->set_type(kFiller);
  return net.relu("relu" + name.substr(4), name);
}

std::string pool(NetBuilder& net, const std::string& name, const std::string& bottom) {
  PoolingParameter& pool = *net.add(name, "Pooling", {bottom}, name).mutable_pooling_param();
  pool.set_pool(PoolingParameter::MAX);
  pool.set_kernel_size(2);
  pool.set_stride(2);
  return name;
}

std::string product(NetBuilder& net, const std::string& name, const std::string& bottom,
                    int outputs) {
  InnerProductParameter& product =
      *net.add(name, "InnerProduct", {bottom}, name).mutable_inner_product_param();
  product.set_num_output(static_cast<uint32_t>(outputs));
  product.mutable_weight_filler()->set_type(kFiller);
  return name;
}

}  // namespace

std::string add(NetBuilder& net, const Vgg16& network, const std::string& image, int classes) {
  constexpr std::array kConvolutions = {2, 2, 3, 3, 3}, kOutputs = {64, 128, 256, 512, 512};
  const auto scaled = [&](int outputs) { return static_cast<int>(outputs * network.width); };
  std::string blob = image;
  for (size_t stage = 0; stage < kConvolutions.size(); ++stage) {
    for (int i = 1; i <= kConvolutions[stage]; ++i)
      blob = convolution_relu(net, text("conv", stage + 1, "_", i), blob, scaled(kOutputs[stage]));
    blob = pool(net, text("pool", stage + 1), blob);
  }
  for (const std::string number : {"6", "7"}) {
    blob = net.relu("relu" + number, product(net, "fc" + number, blob, scaled(4096)));
    net.add("drop" + number, "Dropout", {blob}, blob)
        .mutable_dropout_param()
        ->set_dropout_ratio(0.5f);
  }
  return product(net, "fc8", blob, classes);
}

}  // namespace orepa::zoo
