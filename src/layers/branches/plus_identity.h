// Row n, of t = first + n: to[n, i] = M[t, i] + I[t, i], where I[t, i] = 1 if i = t mod Cg: a
// pointwise kernel that is learned as its offset from the identity.
#pragma once
#include "orepa/parallel.h"

namespace orepa {

struct PlusIdentity {
  const float* m;          // row t = first
  int64_t first, columns;  // columns: Cg
  bool accumulate;
  float* to;
  OREPA_HD void operator()(int64_t n, int64_t i) const {
    const int64_t at = n * columns + i;
    to[at] = (accumulate ? to[at] : 0.0f) + m[at] + (i == (first + n) % columns ? 1.0f : 0.0f);
  }
};

}  // namespace orepa
