#include "layers/branches/output_blocks.h"

#include <omp.h>

#include <algorithm>
#include <exception>

namespace orepa {
namespace {

constexpr int64_t kBlockBytes = 256 << 10;  // of W
constexpr int64_t kMinBlocks = 8;

int64_t divided(int64_t count, int64_t by) { return (count + by - 1) / by; }

}  // namespace

OutputBlocks::OutputBlocks(const Device& device, const KernelGeometry& geometry)
    : groups_(geometry.groups), group_(geometry.outputs_per_group()) {
  const int64_t row = geometry.taps() * geometry.inputs_per_group() * int64_t{sizeof(float)};
  const int64_t fit =
      device.is_cuda()
          ? geometry.outputs
          : std::clamp<int64_t>(std::min(kBlockBytes / row, geometry.outputs / kMinBlocks), 1,
                                geometry.outputs);
  groups_of_block_ = std::max<int64_t>(1, fit / group_);
  parts_ = fit < group_ ? divided(group_, fit) : 1;
  part_ = divided(group_, parts_);
  parts_ = divided(group_, part_);
  count_ = divided(groups_, groups_of_block_) * parts_;
  workers_ = std::min<int64_t>(count_, omp_get_max_threads());
}

OutputBlock OutputBlocks::block(int64_t index) const {
  OutputBlock block;
  block.group = index / parts_ * groups_of_block_;
  block.groups = std::min(groups_of_block_, groups_ - block.group);
  block.part = index % parts_;
  block.first = block.group * group_ + block.part * part_;
  block.count = block.groups * std::min(part_, group_ - block.part * part_);
  return block;
}

void OutputBlocks::each(const std::function<void(const OutputBlock&)>& visit) const {
  if (count_ == 1) return visit(block(0));
  const int threads = std::min<int>(static_cast<int>(workers_), omp_get_max_threads());
  std::exception_ptr failure;
#pragma omp parallel for schedule(dynamic) num_threads(threads)
  for (int64_t b = 0; b < count_; ++b) {
    OutputBlock one = block(b);
    one.worker = omp_get_thread_num();
    try {
      visit(one);
    } catch (...) {
#pragma omp critical
      failure = std::current_exception();
    }
  }
  if (failure) std::rethrow_exception(failure);
}

Handle OutputBlocks::scratch(Setup& setup, Stage stage, int64_t each) const {
  return setup.scratch(stage, workers_ * groups_of_block_ * part_ * each * int64_t{sizeof(float)});
}

float* OutputBlocks::scratch(Pass& pass, Handle handle, const OutputBlock& block,
                             int64_t each) const {
  return pass.floats(handle) + block.worker * groups_of_block_ * part_ * each;
}

}  // namespace orepa
