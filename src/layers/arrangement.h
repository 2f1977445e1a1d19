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

  // The axes as a device takes them: in blocks along two of them, one block behind another.
  static constexpr int kMostAxes = 8;  // beside the columns
  struct Step {
    int64_t extent = 1, from = 0, to = 0;
  };
  struct Walk {
    int outer = 0;  // axes of blocks
    int along_lines = 0, along_columns = 0;
    Step axes[kMostAxes + 1];
    Step lines, columns;  // all of them; columns lie closest in the tensor that is written
    int64_t block_lines = 1, block_columns = 1;  // the most that a block has
    int64_t blocks = 1, from_begin = 0, to_begin = 0;
    bool is_contiguous() const { return columns.from == 1 && columns.to == 1; }
    bool is_one_piece() const { return outer == 2 && lines.extent == 1 && is_contiguous(); }
  };

 private:
  Walk gather_, scatter_;
  std::vector<Axis> repeats_;  // the axes that are 0 in the source
};

}  // namespace orepa
