#include <algorithm>

#include "networks.h"
#include "orepa/error.h"

namespace orepa::zoo {

std::string add(NetBuilder& net, const RepVgg& network, const std::string& image, int classes) {
  const auto block = [&](const std::string& name, const std::string& bottom, int outputs,
                         int stride) {
    return net.relu(
        name + ".relu",
        net.convolution_norm(name, bottom, outputs, {.kernel = 3, .stride = stride, .pad = 1}));
  };
  int channels = 0;
  std::string blob;
  for (int stage = 0; stage < 4; ++stage) {
    channels = static_cast<int>((64 << stage) * network.width[stage]);
    if (stage == 0) blob = block("stage0", image, std::min(64, channels), 2);
    for (int b = 0; b < network.blocks[stage]; ++b)
      blob = block(text("stage", stage + 1, ".", b), blob, channels, b == 0 ? 2 : 1);
  }
  return net.linear("linear", net.global_average("gap", blob), channels, classes);
}

}  // namespace orepa::zoo
