// The two ways in which linear maps combine into one: one behind the other, and side by side.
#pragma once
#include <string>
#include <vector>

#include "orepa/linear_map.h"

namespace orepa {

// Why `second` behind `first` is no single map that is exact at the borders too; empty if it is
// one: `second` must not pad, unless all that it could see there is zero in either order.
std::string cannot_chain(const LinearShape& first, const LinearShape& second);
LinearShape chain(const LinearShape& first, const LinearShape& second);
LinearMap chain(const LinearMap& first, const LinearMap& second);

// Why the sum of these is no single map; empty if it is one. `input` and `output` are the extents
// of the image.
std::string cannot_add(const std::vector<LinearShape>& terms, const std::array<int64_t, 2>& input,
                       const std::array<int64_t, 2>& output);
LinearShape add(const std::vector<LinearShape>& terms);
LinearMap add(const std::vector<LinearMap>& terms, const std::vector<double>& factors);

}  // namespace orepa
