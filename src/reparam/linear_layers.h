// Which layers are linear in inference, and as what map: what their types say (see roles.h).
#pragma once
#include <functional>
#include <optional>

#include "engine/graph.h"
#include "orepa/linear_map.h"
#include "orepa/params.h"

namespace orepa {

// Of one layer of a TEST graph; empty where it is not linear.
std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input,
                                        const Shape& output);
// The numbers of a map that linear_shape() gave. Derived kernels have to be there: after prepare().
LinearMap linear_map(const LayerSpec& spec, const LinearShape& shape, const Parameters& parameters);

// The factors of an Eltwise that sums, one an input; empty where it does anything else.
std::vector<double> sum_factors(const LayerSpec& spec, size_t inputs);

bool is_linear(const LayerSpec& spec, LinearRole::Kind kind);

}  // namespace orepa
