// ResNet-50 (He et al., CVPR 2016) as its authors published it for Caffe: BatchNorm and Scale in
// place, the stride in the first convolution of a block, a pool that rounds up.
#include "caffe_networks.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

// conv, BatchNorm and Scale: resPLACE, bnPLACE, scalePLACE.
std::string convolution_norm(CaffeNet& net, const std::string& place, const std::string& bottom,
                             int outputs, const std::string& window) {
  const std::string blob = net.convolution(
      "res" + place, bottom, outputs, window + " bias_term: false weight_filler { type: 'msra' }");
  net.change("bn" + place, "BatchNorm", blob);
  net.change("scale" + place, "Scale", blob, "scale_param { bias_term: true }");
  return blob;
}

std::string add_block(CaffeNet& net, const std::string& place, const std::string& bottom, int width,
                      int stride, bool first) {
  const std::string window = text("kernel_size: 1 stride: ", stride);
  const std::string shortcut =
      first ? convolution_norm(net, place + "_branch1", bottom, 4 * width, window) : bottom;
  std::string blob = convolution_norm(net, place + "_branch2a", bottom, width, window);
  net.relu("res" + place + "_branch2a_relu", blob);
  blob = convolution_norm(net, place + "_branch2b", blob, width, "kernel_size: 3 pad: 1");
  net.relu("res" + place + "_branch2b_relu", blob);
  blob = convolution_norm(net, place + "_branch2c", blob, 4 * width, "kernel_size: 1");
  blob = net.add("res" + place, "Eltwise", {shortcut, blob});
  net.relu("res" + place + "_relu", blob);
  return blob;
}

}  // namespace

void write_resnet50(CaffeNet& net) {
  // The published file of weights has a bias here, and here alone.
  std::string blob =
      net.convolution("conv1", add_imagenet(net, {224, 16}), 64,
                      "kernel_size: 7 pad: 3 stride: 2 weight_filler { type: 'msra' }");
  net.change("bn_conv1", "BatchNorm", blob);
  net.change("scale_conv1", "Scale", blob, "scale_param { bias_term: true }");
  net.relu("conv1_relu", blob);
  blob = net.max_pool("pool1", blob, 3, 2);
  constexpr int kBlocks[] = {3, 4, 6, 3};
  for (int stage = 0; stage < 4; ++stage) {
    for (int block = 0; block < kBlocks[stage]; ++block) {
      const std::string place = text(stage + 2, std::string(1, static_cast<char>('a' + block)));
      const int stride = stage > 0 && block == 0 ? 2 : 1;
      blob = add_block(net, place, blob, 64 << stage, stride, block == 0);
    }
  }
  blob = net.average_pool("pool5", blob, 7, 1);
  net.classify(
      net.inner_product_score("fc1000", blob, 1000,
                              "weight_filler { type: 'xavier' } bias_filler { type: 'constant' }"),
      true);
}

}  // namespace orepa::zoo
