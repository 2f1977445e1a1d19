// Pieces of a workspace, for plans.
#pragma once
#include <cstdint>

#include "orepa/device.h"

namespace orepa {

// Hands out pieces of a workspace one after another; only counts where the workspace is null.
class Pieces {
 public:
  explicit Pieces(void* workspace) : base_(static_cast<char*>(workspace)) {}
  void* take(int64_t bytes) {
    void* piece = base_ == nullptr ? nullptr : base_ + used_;
    used_ += aligned(bytes);
    return piece;
  }
  int64_t used() const { return used_; }

 private:
  char* base_;
  int64_t used_ = 0;
};

}  // namespace orepa
