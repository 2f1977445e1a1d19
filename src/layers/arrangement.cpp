#include "layers/arrangement.h"

#include <algorithm>
#include <limits>

#include "orepa/numbers.h"

namespace orepa {
namespace {

using Axis = Arrangement::Axis;
using Walk = Arrangement::Walk;

// In the order in which `to` lies in memory; axes that lie one behind another become one.
Walk walk_over(std::vector<Axis> axes, int64_t Axis::*from, int64_t Axis::*to) {
  std::erase_if(axes, [](const Axis& axis) { return axis.extent == 1; });
  std::stable_sort(axes.begin(), axes.end(),
                   [&](const Axis& a, const Axis& b) { return a.*to > b.*to; });
  std::vector<Axis> merged;
  for (const Axis& axis : axes) {
    const bool follows = !merged.empty() && merged.back().*from == axis.*from * axis.extent &&
                         merged.back().*to == axis.*to * axis.extent;
    if (!follows) {
      merged.push_back(axis);
      continue;
    }
    const int64_t extent = merged.back().extent * axis.extent;
    merged.back() = axis;
    merged.back().extent = extent;
  }
  Walk walk;
  if (merged.empty()) return walk;
  walk.columns = merged.back().extent;
  walk.from_step = merged.back().*from;
  walk.to_step = merged.back().*to;
  merged.pop_back();
  require(merged.size() <= Arrangement::kMostAxes, "numbers are to be moved along ",
          merged.size() + 1, " axes at once, and at most ", Arrangement::kMostAxes + 1,
          " are offered");
  for (const Axis& axis : merged) {
    walk.extent[walk.outer] = axis.extent;
    walk.from[walk.outer] = axis.*from;
    walk.to[walk.outer++] = axis.*to;
    walk.rows *= axis.extent;
  }
  return walk;
}

// One number for each of two axes, which a sum runs over.
struct Repeats {
  int64_t count[2] = {1, 1}, step[2] = {0, 0};
};

// Row r of a walk. `sums`: what is written is the sum over repeats.
template <bool sums>
struct Move {
  Walk walk;
  Repeats repeats;
  Numbers from, to;

  OREPA_HD float number(int64_t at) const {
    if constexpr (sums) {
      float sum = 0;
      for (int64_t a = 0; a < repeats.count[0]; ++a)
        for (int64_t b = 0; b < repeats.count[1]; ++b)
          sum += from[at + a * repeats.step[0] + b * repeats.step[1]];
      return sum;
    } else {
      return from[at];
    }
  }
  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    int64_t from_at = walk.from_begin, to_at = walk.to_begin;
    for (int a = walk.outer - 1; a >= 0; --a) {
      const int64_t k = r % walk.extent[a];
      r /= walk.extent[a];
      from_at += k * walk.from[a];
      to_at += k * walk.to[a];
    }
    for (int64_t j = team.first(); j < walk.columns; j += team.step())
      to.set(to_at + j * walk.to_step, number(from_at + j * walk.from_step));
  }
};

void copy(Device& device, const Walk& walk, const Tensor& from, const Tensor& to) {
  if (!walk.is_one_piece())
    return parallel_teams(device, walk.rows, Move<false>{walk, {}, from, to});
  const int64_t size = size_of(to.type);
  device.copy(static_cast<char*>(to.data) + walk.to_begin * size,
              static_cast<const char*>(from.data) + walk.from_begin * size, walk.columns * size);
}

}  // namespace

std::vector<int64_t> strides_of(const Shape& shape) {
  require(shape.fits(std::numeric_limits<int64_t>::max()), "a tensor would be ", shape.str());
  std::vector<int64_t> strides(static_cast<size_t>(shape.rank()));
  int64_t next = 1;
  const auto lies_inside = [&](int axis) {
    strides[static_cast<size_t>(axis)] = next;
    next *= shape[axis];
  };
  if (shape.rank() == 4)
    for (const int axis : {1, 3, 2, 0}) lies_inside(axis);
  else
    for (int axis = shape.rank() - 1; axis >= 0; --axis) lies_inside(axis);
  return strides;
}

Arrangement::Arrangement(std::vector<Axis> axes, int64_t source_begin) {
  gather_ = walk_over(axes, &Axis::source, &Axis::target);
  gather_.from_begin = source_begin;
  for (const Axis& axis : axes)
    if (axis.source == 0 && axis.extent > 1) repeats_.push_back(axis);
  std::erase_if(axes, [](const Axis& axis) { return axis.source == 0; });
  scatter_ = walk_over(axes, &Axis::target, &Axis::source);
  scatter_.to_begin = source_begin;
  require(repeats_.size() <= 2, "numbers are to be repeated along ", repeats_.size(),
          " axes at once, and at most 2 are offered");
}

void Arrangement::gather(Device& device, const Tensor& source, const Tensor& target) const {
  copy(device, gather_, source, target);
}

void Arrangement::scatter(Device& device, const Tensor& target, const Tensor& source) const {
  if (repeats_.empty()) return copy(device, scatter_, target, source);
  Repeats repeats;
  for (size_t a = 0; a < repeats_.size(); ++a) {
    repeats.count[a] = repeats_[a].extent;
    repeats.step[a] = repeats_[a].target;
  }
  parallel_teams(device, scatter_.rows, Move<true>{scatter_, repeats, target, source});
}

}  // namespace orepa
