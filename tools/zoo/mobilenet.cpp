#include "networks.h"
#include "orepa/error.h"

namespace orepa::zoo {

std::string add(NetBuilder& net, const MobileNet& network, const std::string& image, int classes) {
  const auto scaled = [&](int channels) { return static_cast<int>(channels * network.width); };
  const auto norm_relu = [&](const std::string& name, const std::string& bottom, int outputs,
                             const Window& window, int groups = 1) {
    return net.relu(name + ".relu", net.convolution_norm(name, bottom, outputs, window, groups));
  };
  struct Block {
    int outputs, stride;
  };
  constexpr Block kBlocks[] = {{64, 1},  {128, 2},  {128, 1}, {256, 2}, {256, 1},
                               {512, 2}, {512, 1},  {512, 1}, {512, 1}, {512, 1},
                               {512, 1}, {1024, 2}, {1024, 1}};
  int channels = scaled(32), number = 0;
  std::string blob = norm_relu("conv", image, channels, {.kernel = 3, .stride = 2, .pad = 1});
  for (const Block& block : kBlocks) {
    const std::string name = text("block", ++number);
    blob = norm_relu(name + ".depthwise", blob, channels,
                     {.kernel = 3, .stride = block.stride, .pad = 1}, channels);
    channels = scaled(block.outputs);
    blob = norm_relu(name + ".pointwise", blob, channels, {});
  }
  return net.linear("linear", net.global_average("gap", blob), channels, classes);
}

}  // namespace orepa::zoo
