// Parts: a tensor, the whole, cut along an axis into tensors that lie one behind the other there.
#pragma once
#include <vector>

#include "orepa/device.h"
#include "orepa/tensor.h"

namespace orepa {

class Parts {
 public:
  Parts() = default;
  // REQUIRES: the extents of the parts along `axis` add up to that of the whole; all others are the
  // same.
  Parts(int axis, const Shape& whole, const std::vector<Shape>& parts);
  int count() const { return static_cast<int>(widths_.size()); }

  // Copy each part to its place in the whole, and from there. A tensor that does not exist is
  // passed over. All have numbers of one type.
  void join(Device& device, const std::vector<Tensor>& parts, const Tensor& whole) const;
  void cut(Device& device, const Tensor& whole, const std::vector<Tensor>& parts) const;

 private:
  // In memory the whole is rows, and each part has a piece of every row.
  int64_t rows_ = 0;
  std::vector<int64_t> widths_;  // of the pieces
};

}  // namespace orepa
