// Arrangement: where the numbers of one tensor, the source, stand in another one, the target. What
// layers do that move numbers and compute nothing: Slice, Concat, Permute, Tile, ...
#pragma once
#include <vector>

#include "orepa/device.h"
#include "orepa/tensor.h"

namespace orepa {

// How far apart neighbours along each axis lie in memory (tensor.h). Throws Error where there can
// be no such tensor.
std::vector<int64_t> strides_of(const Shape& shape);

class Arrangement {
 public:
  // `extent` numbers, and how far apart they lie in either tensor. Where that is 0 in the source,
  // they are one number, which the target has `extent` times.
  struct Axis {
    int64_t extent, source, target;
  };

  Arrangement() = default;
  // All combinations of the axes, from the first number of the target and from number
  // `source_begin` of the source on, neither of which two of them share but by an axis that is 0 in
  // the source. Throws Error where that takes more axes than a loop has room for.
  explicit Arrangement(std::vector<Axis> axes, int64_t source_begin = 0);

  // Copies what is arranged to the target; all else of it stays.
  void gather(Device& device, const Tensor& source, const Tensor& target) const;
  // Copies it back: each number of the source becomes the sum of those that the target has of it.
  // Numbers of the source that the target does not have stay.
  void scatter(Device& device, const Tensor& target, const Tensor& source) const;

  // A loop over the axes: the last one is a row's.
  static constexpr int kMostAxes = 8;
  struct Walk {
    int outer = 0;  // axes beside the row
    int64_t extent[kMostAxes] = {}, from[kMostAxes] = {}, to[kMostAxes] = {};
    int64_t rows = 1, columns = 1, from_step = 1, to_step = 1, from_begin = 0, to_begin = 0;
    bool is_one_piece() const { return rows == 1 && from_step == 1 && to_step == 1; }
  };

 private:
  Walk gather_, scatter_;
  std::vector<Axis> repeats_;  // the axes that are 0 in the source
};

}  // namespace orepa
