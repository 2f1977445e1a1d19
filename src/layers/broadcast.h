// A small tensor spread over a large one, along the axes [axis, axis + its rank): which of its
// numbers belongs to which of the large one's, both ways, in storage order.
#pragma once
#include "orepa/parallel.h"
#include "orepa/tensor.h"

namespace orepa {

class Broadcast {
 public:
  Broadcast() = default;
  // REQUIRES: axis + small.rank() <= large.rank(), and equal extents there.
  Broadcast(const Shape& large, const Shape& small, int axis) : count_(small.count()) {
    const int end = axis + small.rank();
    for (int a = 0; a < 4; ++a) extent_[a] = 1;
    if (large.rank() == 4 && small.rank() < 4) {
      // Logical N, C, H, W, stored N, H, W, C; the small one has rank < 4 and is row-major.
      for (int a = 0; a < 4; ++a) {
        extent_[a] = large[a];
        mine_[a] = axis <= a && a < end;
      }
    } else {
      // Row-major (or both of rank 4, stored alike): outer, the small one, inner.
      extent_[0] = large.count(0, axis);
      extent_[2] = count_;
      extent_[3] = large.count(end, large.rank());
      mine_[2] = true;
    }
    rest_ = large.count() / count_;
    column_axis_ = extent_[1] > 1 ? 1 : extent_[3] > 1 ? 3 : 2;
    rows_ = large.count() / columns();
    if (mine_[column_axis_]) {
      step_ = 1;
      for (int a = column_axis_ + 1; a < 4; ++a)
        if (mine_[a]) step_ *= extent_[a];
    }
  }

  int64_t count() const { return count_; }  // of the small one
  // Whether the small one has a number for each column, and all rows have the same.
  OREPA_HD bool is_of_columns() const { return step_ == 1 && count_ == columns(); }
  // Numbers of the large one to each of the small one.
  OREPA_HD int64_t rest() const { return rest_; }

  // The large one's memory as rows of its innermost axis.
  int64_t rows() const { return rows_; }
  OREPA_HD int64_t columns() const { return extent_[column_axis_]; }
  // The small one's index for number j of row r of the large one is first(r) + j * step().
  OREPA_HD int64_t step() const { return step_; }
  OREPA_HD int64_t first(int64_t r) const {
    if (count_ == 1 || is_of_columns()) return 0;  // without divisions
    int64_t at[4] = {};
    if (column_axis_ == 1) at[3] = r % extent_[3], r /= extent_[3];
    if (column_axis_ != 2) at[2] = r % extent_[2], r /= extent_[2];
    at[0] = r;
    int64_t index = 0;
    for (int a = 0; a < 4; ++a)
      if (mine_[a]) index = index * extent_[a] + at[a];
    return index;
  }
  // The large one's index of the k-th number that belongs to number j of the small one.
  OREPA_HD int64_t large(int64_t j, int64_t k) const {
    int64_t at[4];
    for (int a = 3; a >= 0; --a) {
      int64_t& from = mine_[a] ? j : k;
      at[a] = from % extent_[a];
      from /= extent_[a];
    }
    return ((at[0] * extent_[2] + at[2]) * extent_[3] + at[3]) * extent_[1] + at[1];
  }

 private:
  int64_t extent_[4] = {1, 1, 1, 1};  // stored in the order 0, 2, 3, 1
  bool mine_[4] = {false, false, false, false};
  int64_t count_ = 1, rest_ = 1, rows_ = 1, step_ = 0;
  int column_axis_ = 1;
};

}  // namespace orepa
