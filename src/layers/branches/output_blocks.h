// How a sum of branches walks over W: in blocks of output channels, each a task of one thread, so
// small that what branches read and write of a block stays in a core's second-level cache from one
// branch to the next. A device with kernels gets all of W as one block. Which outputs are a block
// depends on the geometry alone, so any number of threads gives the same bits.
#pragma once
#include <functional>

#include "orepa/branch.h"

namespace orepa {

class OutputBlocks {
 public:
  OutputBlocks() = default;
  OutputBlocks(const Device& device, const KernelGeometry& geometry);

  int64_t parts() const { return parts_; }  // of a group; 1 where blocks hold whole groups
  // Calls visit(block) for every block, several at a time. The loops of parallel.h, copies and
  // gemm of the device run inside: on the block's thread. Throws what a visit threw.
  void each(const std::function<void(const OutputBlock&)>& visit) const;

  // Scratch of `each` numbers an output that lives as long as a block.
  Handle scratch(Setup& setup, Stage stage, int64_t each) const;
  float* scratch(Pass& pass, Handle handle, const OutputBlock& block, int64_t each) const;

 private:
  OutputBlock block(int64_t index) const;

  int64_t groups_ = 0, group_ = 0;           // how many, and the outputs of each
  int64_t parts_ = 1, part_ = 0;             // of a group: blocks, and the outputs of each
  int64_t groups_of_block_ = 1, count_ = 0;  // count_: blocks
  int64_t workers_ = 1;
};

}  // namespace orepa
