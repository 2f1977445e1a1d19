// RepVGG (Ding et al., CVPR 2021): 3 x 3 + 1 x 1 + identity, a BatchNorm each; OREPA-VGG, the same
// with an ORepaConv as the 3 x 3.
#include "orepa/error.h"
#include "reparam/expand/block_layers.h"
#include "reparam/expand/orepa_layer.h"

namespace orepa {
namespace {

bool has_identity(const Chain& chain) {
  if (chain.stride != Pair{1, 1}) return false;
  require_channels(chain);
  return chain.channels == chain.outputs;
}

Block expand(const Chain& chain, const std::string& name, bool orepa) {
  require_kernel(chain, 3, 3);
  BlockLayers block(chain);
  LayerParameter& dense = block.origin("rbr_dense");
  if (orepa) make_orepa(dense, OrepaParameter::OREPA_VGG);
  block.convolution("rbr_1x1", block.bottom(), chain.outputs, block.centre());
  block.end_branch("rbr_1x1.bn", block.full("rbr_1x1"));
  if (has_identity(chain)) block.end_branch("rbr_identity", block.bottom());
  return block.sum(name);
}

const StyleRegistrar repvgg({"repvgg", true, [](const Chain& chain, bool) {
                               return expand(chain, "RepVGG block", false);
                             }});
const StyleRegistrar orepa_vgg({"orepa_vgg", true, [](const Chain& chain, bool) {
                                  return expand(chain, "OREPA-VGG block", true);
                                }});

}  // namespace
}  // namespace orepa
