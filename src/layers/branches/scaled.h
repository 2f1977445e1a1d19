// What most branches share: a scaling vector s of length O, initially spec.scale, and its gradient
// ds[o] = <dW[o], K[o]>, taken from the unscaled kernel K and never by dividing.
#pragma once
#include <string>

#include "orepa/branch.h"
#include "orepa/parallel.h"

namespace orepa {

// sum over j of a[o, j] b[o, j]
struct RowDot {
  const float *a, *b;
  int64_t columns;
  OREPA_HD float operator()(int64_t o, int64_t j) const {
    return a[o * columns + j] * b[o * columns + j];
  }
};

// to[r, j] = s[r / rows_per_scale] from[r, j]; `to` may be `from`.
struct ScaleRows {
  const float *scale, *from;
  int64_t rows_per_scale, columns;
  float* to;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    to[r * columns + j] = scale[r / rows_per_scale] * from[r * columns + j];
  }
};

// Declares the scaling vector; the last factor of its branch.
inline Handle declare_scale(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
                            const std::string& prefix) {
  return setup.factor(prefix + "scale", {geometry.outputs}, Filler::constant(spec.scale));
}

}  // namespace orepa
