// Softmax along an axis, shared by the layer and its loss.
#pragma once
#include "layers/axis.h"
#include "layers/exponential.h"

namespace orepa {

// One position: p[k] = exp(x[k] - max) / sum. For parallel_teams().
struct SoftmaxAlongAxis {
  AxisView view;
  const float* x;
  float* p;
  template <class Team>
  OREPA_HD void operator()(int64_t i, Team team) const {
    const int64_t first = view.position(i, 0);
    if (view.inner == 1)  // loops of their own, which are vectorised
      run(x + first, p + first, 1, team);
    else
      run(x + first, p + first, view.inner, team);
  }

 private:
  // Of numbers that lie `stride` apart.
  template <class Team>
  OREPA_HD void run(const float* from, float* to, int64_t stride, Team team) const {
    float largest = from[0];
#pragma omp simd reduction(max : largest)
    for (int64_t k = team.first(); k < view.extent; k += team.step()) {
      const float value = from[k * stride];
      largest = value > largest ? value : largest;
    }
    largest = team.max(largest);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = team.first(); k < view.extent; k += team.step()) {
      const float value = exponential(from[k * stride] - largest);
      to[k * stride] = value;
      sum += value;
    }
    sum = team.sum(sum);
#pragma omp simd
    for (int64_t k = team.first(); k < view.extent; k += team.step()) to[k * stride] /= sum;
  }
};

}  // namespace orepa
