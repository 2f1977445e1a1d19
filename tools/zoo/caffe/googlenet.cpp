// GoogLeNet (Szegedy et al., CVPR 2015) as BVLC trained it.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

constexpr const char* kFillers =
    " weight_filler { type: 'xavier' } bias_filler { type: 'constant' value: 0.2 }";
constexpr const char* kScoreFillers =
    "weight_filler { type: 'xavier' } bias_filler { type: 'constant' }";

struct Inception {
  const char* name;  // "3a"
  int one;           // channels of 1x1
  int reduce3, three, reduce5, five, projection;
};

// PLACE/LAYER and PLACE/relu_LAYER.
std::string convolution_relu(CaffeNet& net, const std::string& place, const std::string& layer,
                             const std::string& bottom, int outputs, const std::string& window) {
  const std::string blob = net.convolution(place + "/" + layer, bottom, outputs, window + kFillers);
  net.relu(place + "/relu_" + layer, blob);
  return blob;
}

std::string add(CaffeNet& net, const Inception& module, const std::string& bottom) {
  const std::string place = text("inception_", module.name), point = "kernel_size: 1";
  const auto convolution = [&](const std::string& layer, const std::string& from, int outputs,
                               const std::string& window) {
    return convolution_relu(net, place, layer, from, outputs, window);
  };
  const std::string one = convolution("1x1", bottom, module.one, point);
  const std::string three =
      convolution("3x3", convolution("3x3_reduce", bottom, module.reduce3, point), module.three,
                  "pad: 1 kernel_size: 3");
  const std::string five =
      convolution("5x5", convolution("5x5_reduce", bottom, module.reduce5, point), module.five,
                  "pad: 2 kernel_size: 5");
  const std::string pool = net.max_pool(place + "/pool", bottom, 3, 1, "pad: 1");
  const std::string projection = convolution("pool_proj", pool, module.projection, point);
  return net.add(place + "/output", "Concat", {one, three, five, projection});
}

// A classifier on the way, which training alone needs.
void add_head(CaffeNet& net, const std::string& place, const std::string& bottom) {
  if (!net.trains()) return;
  net.only_in_training(true);
  std::string blob = net.average_pool(place + "/ave_pool", bottom, 5, 3);
  blob = convolution_relu(net, place, "conv", blob, 128, "kernel_size: 1");
  blob = net.inner_product(place + "/fc", blob, 1024, kFillers);
  net.relu(place + "/relu_fc", blob);
  net.dropout(place + "/drop_fc", blob, 0.7);
  blob = net.inner_product_score(place + "/classifier", blob, 1000, kScoreFillers);
  net.add(place + "/loss", "SoftmaxWithLoss", {blob, "label"}, "loss_weight: 0.3");
  net.only_in_training(false);
}

}  // namespace

void write_googlenet(CaffeNet& net) {
  const std::string norm = "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }";
  std::string blob = convolution_relu(net, "conv1", "7x7_s2", add_imagenet(net, {224, 16}), 64,
                                      "pad: 3 kernel_size: 7 stride: 2");
  blob = net.add("pool1/norm1", "LRN", {net.max_pool("pool1/3x3_s2", blob, 3, 2)}, norm);
  blob = convolution_relu(net, "conv2", "3x3_reduce", blob, 64, "kernel_size: 1");
  blob = convolution_relu(net, "conv2", "3x3", blob, 192, "pad: 1 kernel_size: 3");
  blob = net.max_pool("pool2/3x3_s2", net.add("conv2/norm2", "LRN", {blob}, norm), 3, 2);
  blob = add(net, {"3a", 64, 96, 128, 16, 32, 32}, blob);
  blob = add(net, {"3b", 128, 128, 192, 32, 96, 64}, blob);
  blob = net.max_pool("pool3/3x3_s2", blob, 3, 2);
  blob = add(net, {"4a", 192, 96, 208, 16, 48, 64}, blob);
  add_head(net, "loss1", blob);
  blob = add(net, {"4b", 160, 112, 224, 24, 64, 64}, blob);
  blob = add(net, {"4c", 128, 128, 256, 24, 64, 64}, blob);
  blob = add(net, {"4d", 112, 144, 288, 32, 64, 64}, blob);
  add_head(net, "loss2", blob);
  blob = add(net, {"4e", 256, 160, 320, 32, 128, 128}, blob);
  blob = net.max_pool("pool4/3x3_s2", blob, 3, 2);
  blob = add(net, {"5a", 256, 160, 320, 32, 128, 128}, blob);
  blob = add(net, {"5b", 384, 192, 384, 48, 128, 128}, blob);
  blob = net.average_pool("pool5/7x7_s1", blob, 7, 1);
  net.dropout("pool5/drop_7x7_s1", blob, 0.4);
  net.classify(net.inner_product_score("loss3/classifier", blob, 1000, kScoreFillers), true);
}

}  // namespace orepa::zoo
