// Softmax along an axis, shared by the layer and its loss.
#pragma once
#include <cmath>

#include "layers/axis.h"

namespace orepa {

// One position: p[k] = exp(x[k] - max) / sum. For parallel_teams().
struct SoftmaxAlongAxis {
  AxisView view;
  const float* x;
  float* p;
  template <class Team>
  OREPA_HD void operator()(int64_t i, Team team) const {
    float largest = x[view.position(i, 0)];
    for (int64_t k = team.first(); k < view.extent; k += team.step()) {
      const float value = x[view.position(i, k)];
      largest = value > largest ? value : largest;
    }
    largest = team.max(largest);
    float sum = 0;
    for (int64_t k = team.first(); k < view.extent; k += team.step()) {
      const int64_t at = view.position(i, k);
      p[at] = expf(x[at] - largest);
      sum += p[at];
    }
    sum = team.sum(sum);
    for (int64_t k = team.first(); k < view.extent; k += team.step()) p[view.position(i, k)] /= sum;
  }
};

}  // namespace orepa
