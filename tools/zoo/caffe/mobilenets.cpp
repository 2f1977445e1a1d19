// MobileNet (Howard et al., arXiv 1704.04861) and MobileNet v2 (Sandler et al., CVPR 2018) with the
// names of the weights for Caffe that are public.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

const std::string kTransform =
    "scale: 0.017 mean_value: 103.94 mean_value: 116.78 mean_value: 123.68";
constexpr const char* kScore = "kernel_size: 1 weight_filler { type: 'msra' }";

// NAME, NAME/bn and NAME/scale, in place or, as in v2's file, with a blob NAME/bn.
std::string convolution_norm(CaffeNet& net, const std::string& name, const std::string& bottom,
                             int outputs, const std::string& window, bool in_place) {
  net.convolution(name, bottom, outputs,
                  window + " bias_term: false weight_filler { type: 'msra' }");
  const std::string blob = in_place ? name : name + "/bn";
  net.layer(name + "/bn", "BatchNorm", {name}, {blob}, "batch_norm_param { eps: 1e-05 }");
  net.change(name + "/scale", "Scale", blob, "scale_param { bias_term: true }");
  return blob;
}

std::string depthwise(const CaffeNet& net, int channels, int stride) {
  return text("pad: 1 kernel_size: 3 stride: ", stride, " group: ", net.scaled(channels));
}

}  // namespace

void write_mobilenet_v1(CaffeNet& net) {
  const auto norm_relu = [&](const std::string& place, const std::string& bottom, int outputs,
                             const std::string& window) {
    const std::string blob = convolution_norm(net, "conv" + place, bottom, outputs, window, true);
    net.relu("relu" + place, blob);
    return blob;
  };
  constexpr struct {
    const char* place;
    int outputs, stride;
  } kBlocks[] = {{"2_1", 64, 1},  {"2_2", 128, 2}, {"3_1", 128, 1}, {"3_2", 256, 2},
                 {"4_1", 256, 1}, {"4_2", 512, 2}, {"5_1", 512, 1}, {"5_2", 512, 1},
                 {"5_3", 512, 1}, {"5_4", 512, 1}, {"5_5", 512, 1}, {"5_6", 1024, 2},
                 {"6", 1024, 1}};
  int channels = 32;
  std::string blob = norm_relu("1", add_imagenet(net, {224, 16, kTransform}), channels,
                               "pad: 1 kernel_size: 3 stride: 2");
  for (const auto& block : kBlocks) {
    blob =
        norm_relu(text(block.place, "/dw"), blob, channels, depthwise(net, channels, block.stride));
    channels = block.outputs;
    blob = norm_relu(text(block.place, "/sep"), blob, channels, "kernel_size: 1");
  }
  blob = net.convolution_score("fc7", net.global_average("pool6", blob), 1000, kScore);
  net.classify(blob, true);
}

// The strides are those of the paper's first version, whose 96 channels halve the image instead of
// its 64, and ReLU stands for ReLU6: so the public weights were trained.
void write_mobilenet_v2(CaffeNet& net) {
  const auto norm_relu = [&](const std::string& place, const std::string& bottom, int outputs,
                             const std::string& window) {
    const std::string blob = convolution_norm(net, "conv" + place, bottom, outputs, window, false);
    net.relu("relu" + place, blob);
    return blob;
  };
  constexpr struct {
    const char* place;
    int outputs, stride;
  } kBlocks[] = {{"2_1", 16, 1},  {"2_2", 24, 2}, {"3_1", 24, 1}, {"3_2", 32, 2},  {"4_1", 32, 1},
                 {"4_2", 32, 1},  {"4_3", 64, 1}, {"4_4", 64, 1}, {"4_5", 64, 1},  {"4_6", 64, 1},
                 {"4_7", 96, 2},  {"5_1", 96, 1}, {"5_2", 96, 1}, {"5_3", 160, 2}, {"6_1", 160, 1},
                 {"6_2", 160, 1}, {"6_3", 320, 1}};
  int channels = 32, expansion = 1;
  std::string blob = norm_relu("1", add_imagenet(net, {224, 16, kTransform}), channels,
                               "pad: 1 kernel_size: 3 stride: 2");
  for (const auto& block : kBlocks) {
    const std::string place = block.place, bottom = blob;
    const int inner = expansion * channels;
    blob = norm_relu(place + "/expand", blob, inner, "kernel_size: 1");
    blob = norm_relu(place + "/dwise", blob, inner, depthwise(net, inner, block.stride));
    blob = convolution_norm(net, "conv" + place + "/linear", blob, block.outputs, "kernel_size: 1",
                            false);
    if (block.stride == 1 && channels == block.outputs)
      blob = net.add("block_" + place, "Eltwise", {bottom, blob});
    channels = block.outputs;
    expansion = 6;
  }
  blob = norm_relu("6_4", blob, 1280, "kernel_size: 1");
  blob = net.convolution_score("fc7", net.global_average("pool6", blob), 1000, kScore);
  net.classify(blob, true);
}

}  // namespace orepa::zoo
