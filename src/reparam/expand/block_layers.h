// BlockLayers: parallel branches whose sum takes the place of a chain. Their layers inherit phases,
// learning rates, fillers and statistics from it; what it does not say is as published.
#pragma once
#include <string>

#include "reparam/expand/styles.h"

namespace orepa {

struct BranchWindow {
  Pair kernel{1, 1}, stride{1, 1}, pad{0, 0}, dilation{1, 1};
};

using ParamSpecs = google::protobuf::RepeatedPtrField<ParamSpec>;

class BlockLayers {
 public:
  // Throws Error with the reason where the chain cannot be the sum of branches.
  explicit BlockLayers(const Chain& chain);

  // Names are those inside the block: "rbr_1x1" becomes "stage1.0.rbr_1x1"; bottoms are names of
  // blobs. A returned layer may be changed until the next one is added.

  // The chain itself as the branch NAME, NAME.bn, NAME.scale; returns the convolution.
  LayerParameter& origin(const std::string& name);
  LayerParameter& add(const std::string& name, const std::string& type, const std::string& bottom);
  // Of the chain's groups, without a bias.
  LayerParameter& convolution(const std::string& name, const std::string& bottom, int64_t outputs,
                              const BranchWindow& window);
  // A BatchNormPad with the chain's padding.
  void padded_norm(const std::string& name, const std::string& bottom);
  // The last layers of a branch: a BatchNorm with its Scale, in place unless they are all of it.
  void end_branch(const std::string& norm, const std::string& bottom);

  // Of a 1 x 1 that makes the same output.
  BranchWindow centre() const { return {{1, 1}, chain_.stride}; }
  const std::string& bottom() const { return chain_.bottom(); }
  std::string full(const std::string& name) const;

  // The whole, for people of that name. Nothing may be added afterwards.
  Block sum(const std::string& name);

 private:
  BatchNormParameter statistics() const;
  // The chain's, of scale and bias behind a BatchNorm; where it has none they do not decay, as
  // published.
  ParamSpecs affine_specs() const;

  const Chain& chain_;
  Block block_;
  std::vector<std::string> ends_;  // blobs to add
};

}  // namespace orepa
