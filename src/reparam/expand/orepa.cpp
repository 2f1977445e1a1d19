// OREPA: the convolution becomes an ORepaConv; what stands behind it stays.
#include "layers/branches/presets.h"
#include "orepa/error.h"
#include "reparam/expand/orepa_layer.h"
#include "reparam/expand/styles.h"

namespace orepa {
namespace {

BranchParameter written_out(const BranchSpec& spec) {
  BranchParameter branch;
  branch.set_type(spec.type);
  if (spec.type != "chain") branch.set_scale(spec.scale);
  for (const std::vector<BranchSpec>& parts : spec.chain) {
    ChainKernel& kernel = *branch.add_kernel();
    for (const BranchSpec& part : parts) *kernel.add_branch() = written_out(part);
  }
  return branch;
}

// The preset's chain can only make some kernels; with a K x K beside it, all.
OrepaParameter large_and_kxk(const Chain& chain) {
  OrepaParameter branches;
  for (const BranchSpec& spec : preset_branches(
           "OREPA_LARGE", {chain.outputs, chain.channels, chain.groups, chain.kernel[0]}))
    *branches.add_branch() = written_out(spec);
  BranchParameter& kxk = *branches.add_branch();
  kxk.set_type("kxk");
  return branches;
}

Block expand(const Chain& chain, bool exact) {
  require_kernel(chain, 1, 11);
  const int64_t size = chain.kernel[0];
  require(size > 1 || chain.groups == 1, "the style has no block for 1 x 1 with groups");
  const OrepaParameter::Preset preset = size == 1   ? OrepaParameter::OREPA_1X1
                                        : size <= 5 ? OrepaParameter::OREPA
                                                    : OrepaParameter::OREPA_LARGE;
  Block block;
  LayerParameter& layer = block.layers.emplace_back(*chain.convolution);
  block.name = "ORepaConv, preset " + OrepaParameter::Preset_Name(preset);
  if (exact && preset == OrepaParameter::OREPA_LARGE) {
    make_orepa(layer, large_and_kxk(chain));
    block.note = "its chain has a kxk branch beside it, which makes it start as the given kernel";
  } else {
    make_orepa(layer, preset);
  }
  block.takes[layer.name()] = layer.name();
  return block;
}

const StyleRegistrar registrar({"orepa", false, expand});

}  // namespace
}  // namespace orepa
