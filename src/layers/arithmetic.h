// Functors that several layers hand to parallel.h.
#pragma once
#include "orepa/numbers.h"

namespace orepa {

struct AddTo {
  const float* from;
  float* to;
  OREPA_HD void operator()(int64_t i) const { to[i] += from[i]; }
};

// Number (r, j) of a row-major matrix: its sums over rows are the gradient of a bias.
struct Element {
  Numbers matrix;
  int64_t columns;
  OREPA_HD float operator()(int64_t r, int64_t j) const { return matrix[r * columns + j]; }
};

}  // namespace orepa
