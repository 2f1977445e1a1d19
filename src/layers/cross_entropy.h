// Cross entropy of softmax(scores) and what the probabilities should be, shared by the losses that
// differ in that: -sum_k target(i, k) log max(p[k], least) at position i along an axis.
#pragma once
#include <cmath>

#include "layers/axis.h"
#include "layers/loss_divisor.h"
#include "layers/softmax.h"

namespace orepa {

// Target is a functor of
//   view            the AxisView of the scores
//   least           below which no probability counts as lying
//   counts(i)       whether position i does
//   is_sound(i)     whether it says what the probabilities should be
//   only(i)         the one class that weighs anything, and that 1; negative where several may
//   (i, k), sum(i)  the weight of class k, and of all of them
//
// A position that is not sound has the loss NaN, as one whose scores are not finite, so that
// training stops at once instead of learning nonsense.
template <class Target>
struct CrossEntropyLoss {
  Target target;
  const float* p;
  OREPA_HD float log_of(int64_t i, int64_t k) const {
    const float value = p[target.view.position(i, k)];
    return logf(value < target.least ? target.least : value);
  }
  OREPA_HD float operator()(int64_t i) const {
    if (!target.counts(i)) return 0;
    if (!target.is_sound(i)) return NAN;
    if (const int64_t k = target.only(i); k >= 0) return -log_of(i, k);
    float loss = 0;
    for (int64_t k = 0; k < target.view.extent; ++k) loss -= target(i, k) * log_of(i, k);
    return loss;
  }
};

template <class Target>
struct CrossEntropyCounts {
  Target target;
  OREPA_HD float operator()(int64_t i) const { return target.counts(i) ? 1.0f : 0.0f; }
};

template <class Target>
struct CrossEntropyGradient {
  Target target;
  const float *p, *divisor, *dloss;
  float* dx;
  OREPA_HD void operator()(int64_t i) const {
    const bool counts = target.counts(i) && target.is_sound(i);
    const float weight = counts ? dloss[0] / divisor[0] : 0.0f;
    const int64_t only = counts ? target.only(i) : -1;
    if (only >= 0 && target.view.inner == 1) return of_class(i * target.view.extent, only, weight);
    const float sum = counts ? target.sum(i) : 0.0f;
    for (int64_t k = 0; k < target.view.extent; ++k) {
      const int64_t at = target.view.position(i, k);
      dx[at] = counts ? weight * (p[at] * sum - target(i, k)) : 0.0f;
    }
  }

 private:
  // Of neighbours from number `first` on, a loop that is vectorised.
  OREPA_HD void of_class(int64_t first, int64_t only, float weight) const {
    const float* from = p + first;
    float* to = dx + first;
#pragma omp simd
    for (int64_t k = 0; k < target.view.extent; ++k) to[k] = weight * from[k];
    to[only] = weight * (from[only] - 1);
  }
};

template <class Target>
class CrossEntropy {
 public:
  void declare(Setup& setup, const AxisView& view, const std::string& mode, int64_t batch,
               bool ignores) {
    view_ = view;
    const Shape& x = setup.input(0);
    divisor_.declare(setup, mode, batch, view.positions(), ignores);
    probability_ = setup.saved(x.bytes());
    setup.loss(0);
    setup.require(setup.outputs() <= 2, "makes the loss and, as a second top, the probabilities");
    has_probability_top_ = setup.outputs() == 2;
  }
  // The second top is for looking at: as in Caffe, no gradient flows back through it.
  std::vector<Shape> outputs(const Shape& x) const {
    if (has_probability_top_) return {Shape{}, x};
    return {Shape{}};
  }

  void forward(Pass& pass, const Target& target) const {
    float* p = pass.floats(probability_);
    softmax_along_axis(pass.device(), view_, pass.input(0).floats(), p);
    divisor_.divide(pass, CrossEntropyLoss<Target>{target, p}, CrossEntropyCounts<Target>{target});
    if (has_probability_top_)
      pass.device().copy(pass.output(1).floats(), p, pass.output(1).bytes());
  }

  void backward(Pass& pass, const Target& target) const {
    parallel_for(pass.device(), view_.positions(),
                 CrossEntropyGradient<Target>{
                     target, pass.floats(probability_), divisor_.divisor(pass),
                     pass.output_gradient(0).floats(), pass.input_gradient(0).floats()});
  }

 private:
  AxisView view_;
  LossDivisor divisor_;
  bool has_probability_top_ = false;
  Handle probability_ = -1;
};

}  // namespace orepa
