// Softmax along an axis, shared by the layer and its loss.
#pragma once
#include "layers/axis.h"
#include "layers/exponential.h"

namespace orepa {

// to[k] = exp(from[k] - less), numbers `stride` apart.
template <class Team>
OREPA_HD void write_exponentials(const float* from, float less, int64_t count, int64_t stride,
                                 float* to, const Team& team) {
#pragma omp simd
  for (int64_t k = team.first(); k < count; k += team.step())
    to[k * stride] = exponential(from[k * stride] - less);
}

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
    const int64_t first = view.position(i, 0);
    if (view.inner == 1)  // a loop of its own, which is vectorised
      write_exponentials(x + first, largest, view.extent, 1, p + first, team);
    else
      write_exponentials(x + first, largest, view.extent, view.inner, p + first, team);
    float sum = 0;
    for (int64_t k = team.first(); k < view.extent; k += team.step()) sum += p[view.position(i, k)];
    sum = team.sum(sum);
    for (int64_t k = team.first(); k < view.extent; k += team.step()) p[view.position(i, k)] /= sum;
  }
};

}  // namespace orepa
