// A sum of branches, itself a branch.
#pragma once
#include <memory>
#include <vector>

#include "layers/branches/output_blocks.h"

namespace orepa {

class BranchSum {
 public:
  // Parameters of a branch are called prefix + its name + "."; of a chain, prefix + the kernel's
  // position + ".". Throws Error where two branches have one name.
  void setup(Setup& setup, const KernelGeometry& geometry, const std::vector<BranchSpec>& specs,
             const std::string& prefix);
  void prepare(Pass& pass, float* weight);  // overwrites
  void finish(Pass& pass, const float* dweight);

 private:
  int64_t each_ = 0;  // numbers of W an output
  OutputBlocks blocks_;
  std::vector<std::unique_ptr<WeightBranch>> branches_;
};

}  // namespace orepa
