// Which layers are linear in inference, and as what map.
#pragma once
#include <functional>
#include <optional>

#include "engine/graph.h"
#include "orepa/params.h"
#include "reparam/linear_map.h"

namespace orepa {

// The map of one layer of a TEST graph, from an input of that shape to an output of that shape
// (each N x C x H x W or N x C); empty where the layer is not linear, or its windows are no
// convolution's (a clipped average).
std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input,
                                        const Shape& output);
// The numbers of a map that linear_shape() gave. Derived kernels have to be there: after prepare().
LinearMap linear_map(const LayerSpec& spec, const LinearShape& shape, const Parameters& parameters);

// The factors of an Eltwise that sums, one an input; empty where it does anything else.
std::vector<double> sum_factors(const LayerSpec& spec, size_t inputs);

// Convolution, ORepaConv and InnerProduct: what has a kernel of its own.
bool has_kernel(const LayerSpec& spec);
// BatchNorm and Scale: no layer that one would write a convolution for.
bool is_normalisation(const LayerSpec& spec);

}  // namespace orepa
