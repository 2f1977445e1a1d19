// DenseNet-121 (Huang et al., CVPR 2017) with the names of the weights for Caffe that are public.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

constexpr int kGrowth = 32;

// NAME/bn, NAME/scale and a ReLU.
std::string norm_relu(CaffeNet& net, const std::string& place, const std::string& bottom) {
  const std::string blob =
      net.add("conv" + place + "/bn", "BatchNorm", {bottom}, "batch_norm_param { eps: 1e-05 }");
  net.change("conv" + place + "/scale", "Scale", blob, "scale_param { bias_term: true }");
  net.relu("relu" + place, blob);
  return blob;
}

std::string convolution(CaffeNet& net, const std::string& place, const std::string& bottom,
                        int outputs, const std::string& window) {
  return net.convolution("conv" + place, bottom, outputs,
                         window + " bias_term: false weight_filler { type: 'msra' }");
}

}  // namespace

void write_densenet121(CaffeNet& net) {
  const std::string image = add_imagenet(
      net, {224, 16, "scale: 0.017 mean_value: 103.94 mean_value: 116.78 mean_value: 123.68"});
  std::string blob =
      norm_relu(net, "1", convolution(net, "1", image, 64, "kernel_size: 7 pad: 3 stride: 2"));
  blob = net.max_pool("pool1", blob, 3, 2, "pad: 1 round_mode: FLOOR");
  constexpr int kLayers[] = {6, 12, 24, 16};
  int channels = 64;
  for (int stage = 2; stage <= 5; ++stage) {
    for (int layer = 1; layer <= kLayers[stage - 2]; ++layer) {
      const std::string place = text(stage, "_", layer);
      std::string grown = norm_relu(net, place + "/x1", blob);
      grown = convolution(net, place + "/x1", grown, 4 * kGrowth, "kernel_size: 1");
      grown = norm_relu(net, place + "/x2", grown);
      grown = convolution(net, place + "/x2", grown, kGrowth, "kernel_size: 3 pad: 1");
      blob = net.add("concat_" + place, "Concat", {blob, grown});
      channels += kGrowth;
    }
    const std::string place = text(stage, "_blk");
    blob = norm_relu(net, place, blob);
    if (stage == 5) break;
    channels /= 2;
    blob = convolution(net, place, blob, channels, "kernel_size: 1");
    blob = net.average_pool(text("pool", stage), blob, 2, 2);
  }
  blob = net.convolution_score("fc6", net.global_average("pool5", blob), 1000,
                               "kernel_size: 1 weight_filler { type: 'msra' }");
  net.classify(blob, true);
}

}  // namespace orepa::zoo
