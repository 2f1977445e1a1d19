// SqueezeNet (Iandola et al., arXiv 1602.07360), versions 1.0 and 1.1.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

constexpr const char* kFillers = " weight_filler { type: 'xavier' }";

std::string add_fire(CaffeNet& net, int number, const std::string& bottom, int squeeze,
                     int expand) {
  const std::string place = text("fire", number);
  const auto convolution_relu = [&](const std::string& layer, const std::string& from, int outputs,
                                    const std::string& window) {
    const std::string blob = net.convolution(place + "/" + layer, from, outputs, window + kFillers);
    net.relu(place + "/relu_" + layer, blob);
    return blob;
  };
  const std::string small = convolution_relu("squeeze1x1", bottom, squeeze, "kernel_size: 1");
  const std::string one = convolution_relu("expand1x1", small, expand, "kernel_size: 1");
  const std::string three = convolution_relu("expand3x3", small, expand, "pad: 1 kernel_size: 3");
  return net.add(place + "/concat", "Concat", {one, three});
}

struct Version {
  int outputs, kernel;       // of conv1
  int pool_a, pool_b;        // the fires behind which there is a pool
  const char* score_window;  // of conv10
};

void write(CaffeNet& net, const Version& version) {
  std::string blob = net.convolution("conv1", add_imagenet(net, {227, 16}), version.outputs,
                                     text("kernel_size: ", version.kernel, " stride: 2", kFillers));
  net.relu("relu_conv1", blob);
  blob = net.max_pool("pool1", blob, 3, 2);
  for (int number = 2; number <= 9; ++number) {
    const int squeeze = 16 * (number / 2);
    blob = add_fire(net, number, blob, squeeze, 4 * squeeze);
    if (number == version.pool_a || number == version.pool_b)
      blob = net.max_pool(text("pool", number), blob, 3, 2);
  }
  net.dropout("drop9", blob, 0.5);
  blob = net.convolution_score(
      "conv10", blob, 1000,
      text(version.score_window, " weight_filler { type: 'gaussian' std: 0.01 }"));
  net.relu("relu_conv10", blob);
  net.classify(net.global_average("pool10", blob), true);
}

}  // namespace

void write_squeezenet_1_0(CaffeNet& net) { write(net, {96, 7, 4, 8, "pad: 1 kernel_size: 1"}); }
void write_squeezenet_1_1(CaffeNet& net) { write(net, {64, 3, 3, 5, "kernel_size: 1"}); }

}  // namespace orepa::zoo
