// ACNet (Ding et al., ICCV 2019): K x K + K x 1 + 1 x K, a BatchNorm each.
#include "reparam/expand/block_layers.h"

namespace orepa {
namespace {

Block expand(const Chain& chain, bool) {
  require_kernel(chain, 3, 5);
  BlockLayers block(chain);
  block.origin("square_conv");
  const auto line = [&](const std::string& name, int axis) {
    BranchWindow window{{1, 1}, chain.stride, {0, 0}, chain.dilation};
    window.kernel[axis] = chain.kernel[axis];
    window.pad[axis] = chain.pad[axis];
    block.convolution(name, block.bottom(), chain.outputs, window);
    block.end_branch(name + ".bn", block.full(name));
  };
  line("ver_conv", 0);
  line("hor_conv", 1);
  return block.sum("ACNet block");
}

const StyleRegistrar registrar({"acnet", true, expand});

}  // namespace
}  // namespace orepa
