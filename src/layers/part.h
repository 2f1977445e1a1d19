// A part of a tensor: the box of a part's extents that begins at some number of the whole.
#pragma once
#include "layers/arrangement.h"

namespace orepa {

// The whole is the source, the part the target. `begin`: of the part in the whole, by axis.
inline Arrangement part_of(const Shape& whole, const Shape& part,
                           const std::vector<int64_t>& begin) {
  const std::vector<int64_t> from = strides_of(whole), to = strides_of(part);
  std::vector<Arrangement::Axis> axes;
  int64_t first = 0;
  for (int a = 0; a < whole.rank(); ++a) {
    axes.push_back({part[a], from[a], to[a]});
    first += begin[a] * from[a];
  }
  return Arrangement(axes, first);
}

// A row of parts along one axis, in their order.
inline std::vector<Arrangement> parts_along(int axis, const Shape& whole,
                                            const std::vector<Shape>& parts) {
  std::vector<int64_t> begin(static_cast<size_t>(whole.rank()), 0);
  std::vector<Arrangement> all;
  for (const Shape& part : parts) {
    all.push_back(part_of(whole, part, begin));
    begin[static_cast<size_t>(axis)] += part[axis];
  }
  return all;
}

}  // namespace orepa
