// AlexNet (Krizhevsky et al., NIPS 2012), and CaffeNet, where pools stand before normalisations.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

std::string fillers(double deviation, double bias) {
  return text("weight_filler { type: 'gaussian' std: ", deviation,
              " } bias_filler { type: 'constant' value: ", bias, " }");
}

std::string add(CaffeNet& net, const std::string& image, bool pool_first, double bias) {
  const auto normalise = [&](const std::string& number, const std::string& bottom) {
    return net.add("norm" + number, "LRN", {bottom},
                   "lrn_param { local_size: 5 alpha: 0.0001 beta: 0.75 }");
  };
  const auto pool_and_normalise = [&](const std::string& number, const std::string& bottom) {
    if (pool_first) return normalise(number, net.max_pool("pool" + number, bottom, 3, 2));
    return net.max_pool("pool" + number, normalise(number, bottom), 3, 2);
  };
  const auto convolution_relu = [&](const std::string& number, const std::string& bottom,
                                    int outputs, const std::string& window, double of_bias) {
    const std::string blob =
        net.convolution("conv" + number, bottom, outputs, window + fillers(0.01, of_bias));
    net.relu("relu" + number, blob);
    return blob;
  };
  std::string blob = convolution_relu("1", image, 96, "kernel_size: 11 stride: 4 ", 0);
  blob = pool_and_normalise("1", blob);
  blob = convolution_relu("2", blob, 256, "pad: 2 kernel_size: 5 group: 2 ", bias);
  blob = pool_and_normalise("2", blob);
  blob = convolution_relu("3", blob, 384, "pad: 1 kernel_size: 3 ", 0);
  blob = convolution_relu("4", blob, 384, "pad: 1 kernel_size: 3 group: 2 ", bias);
  blob = convolution_relu("5", blob, 256, "pad: 1 kernel_size: 3 group: 2 ", bias);
  blob = net.max_pool("pool5", blob, 3, 2);
  for (const char* number : {"6", "7"}) {
    blob = net.inner_product(text("fc", number), blob, 4096, fillers(0.005, bias));
    net.relu(text("relu", number), blob);
    net.dropout(text("drop", number), blob, 0.5);
  }
  return net.inner_product_score("fc8", blob, 1000, fillers(0.01, 0));
}

}  // namespace

std::string add_caffenet(CaffeNet& net, const std::string& image) {
  return add(net, image, true, 1);
}

void write_alexnet(CaffeNet& net) {
  net.classify(add(net, add_imagenet(net, {227, 16}), false, 0.1), true);
}

void write_caffenet(CaffeNet& net) {
  net.classify(add_caffenet(net, add_imagenet(net, {227, 16})), true);
}

}  // namespace orepa::zoo
