// Softmax along an axis, shared by the layer and its loss.
#pragma once
#include <type_traits>

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

  // Of numbers that lie `stride` apart.
  template <class Team>
  OREPA_HD float largest(const float* from, int64_t stride, Team team) const {
    float largest = from[0];
#pragma omp simd reduction(max : largest)
    for (int64_t k = team.first(); k < view.extent; k += team.step()) {
      const float value = from[k * stride];
      largest = value > largest ? value : largest;
    }
    return team.max(largest);
  }

 private:
  template <class Team>
  OREPA_HD void run(const float* from, float* to, int64_t stride, Team team) const {
    const float most = largest(from, stride, team);
    float sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t k = team.first(); k < view.extent; k += team.step()) {
      const float value = exponential(from[k * stride] - most);
      to[k * stride] = value;
      sum += value;
    }
    sum = team.sum(sum);
#pragma omp simd
    for (int64_t k = team.first(); k < view.extent; k += team.step()) to[k * stride] /= sum;
  }
};

// Neighbouring positions whose classes lie side by side and are few: one lane takes the
// exponentials of all of them in one loop, instead of one by one what a vector leaves of each
// position.
struct SoftmaxOfNeighbours {
  static constexpr int64_t kMostClasses = 64, kAtOnce = 16;
  SoftmaxAlongAxis softmax;
  int64_t positions;

  template <class Team>
  OREPA_HD void operator()(int64_t block, Team team) const {
    const int64_t begin = block * kAtOnce;
    const int64_t past = begin + kAtOnce < positions ? begin + kAtOnce : positions;
    if constexpr (std::is_same_v<Team, parallel::OneLane>)
      all(past - begin, begin * softmax.view.extent, team);
    else
      for (int64_t i = begin; i < past; ++i) softmax(i, team);
  }

 private:
  OREPA_HD void all(int64_t count, int64_t first, parallel::OneLane team) const {
    const int64_t classes = softmax.view.extent;
    const float* const from = softmax.x + first;
    float* const to = softmax.p + first;
    for (int64_t i = 0; i < count; ++i) {
      const float most = softmax.largest(from + i * classes, 1, team);
#pragma omp simd
      for (int64_t k = 0; k < classes; ++k) to[i * classes + k] = from[i * classes + k] - most;
    }
#pragma omp simd
    for (int64_t n = 0; n < count * classes; ++n) to[n] = exponential(to[n]);
    for (int64_t i = 0; i < count; ++i) {
      float sum = 0;
#pragma omp simd reduction(+ : sum)
      for (int64_t k = 0; k < classes; ++k) sum += to[i * classes + k];
#pragma omp simd
      for (int64_t k = 0; k < classes; ++k) to[i * classes + k] /= sum;
    }
  }
};

inline void softmax_along_axis(Device& device, const AxisView& view, const float* x, float* p) {
  const SoftmaxAlongAxis softmax{view, x, p};
  constexpr int64_t kAtOnce = SoftmaxOfNeighbours::kAtOnce;
  if (view.inner == 1 && view.extent <= SoftmaxOfNeighbours::kMostClasses)
    parallel_teams(device, (view.positions() + kAtOnce - 1) / kAtOnce,
                   SoftmaxOfNeighbours{softmax, view.positions()});
  else
    parallel_teams(device, view.positions(), softmax);
}

}  // namespace orepa
