// LaunchMerger: how tasks that need nothing of each other are issued in few launches. It collects
// the launches of each task, then goes through all tasks at a time: it takes the next launch of the
// task that has most of them left, and with it that of every task whose next launch is of the same
// kind. So tasks that do the same, such as layers with the same branches, take as many launches as
// one of them.
#pragma once
#include <cstddef>
#include <cstdint>
#include <vector>

#include "backend/cuda/libraries.h"
#include "orepa/device.h"

namespace orepa::cuda {

class LaunchMerger {
 public:
  explicit LaunchMerger(Device& device) : device_(device) {}

  void begin();  // forgets everything
  void begin_task() { tasks_.emplace_back(); }
  // The next launch of the task that was begun last.
  void add(const CollectedLoop& loop);
  void add(const Gemm& gemm);

  // Issues what was added.
  void issue(Libraries& libraries);

 private:
  struct Launch {
    decltype(CollectedLoop::launch) loops;  // null: a gemm
    size_t place;                           // in memory_, or in gemms_
  };
  using Round = std::vector<Launch>;  // of one kind: one launch

  bool same_kind(const Launch& a, const Launch& b) const;
  std::vector<Round> rounds() const;
  void send_pointers(const std::vector<Round>& rounds);

  Device& device_;
  std::vector<std::vector<Launch>> tasks_;
  struct alignas(std::max_align_t) Piece {
    std::byte bytes[alignof(std::max_align_t)];
  };
  std::vector<Piece> memory_;  // the loops, one behind the other
  std::vector<Gemm> gemms_;
  // Where cuBLAS reads the matrices of several gemms from: the last one. The smaller ones before it
  // stay, since recordings name them.
  std::vector<DeviceMemory> pointers_;
};

}  // namespace orepa::cuda
