// Softmax along an axis, shared by the layer and its loss.
#pragma once
#include <cmath>

#include "layers/axis.h"

namespace orepa {

// One position: p[k] = exp(x[k] - max) / sum.
struct SoftmaxAlongAxis {
  AxisView view;
  const float* x;
  float* p;
  OREPA_HD void operator()(int64_t i) const {
    float largest = x[view.position(i, 0)];
    for (int64_t k = 1; k < view.extent; ++k) {
      const float value = x[view.position(i, k)];
      largest = value > largest ? value : largest;
    }
    float sum = 0;
    for (int64_t k = 0; k < view.extent; ++k) {
      const int64_t at = view.position(i, k);
      p[at] = expf(x[at] - largest);
      sum += p[at];
    }
    for (int64_t k = 0; k < view.extent; ++k) p[view.position(i, k)] /= sum;
  }
};

}  // namespace orepa
