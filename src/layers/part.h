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

}  // namespace orepa
