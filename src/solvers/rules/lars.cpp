#include "solvers/rules/norm_ratio.h"

namespace orepa {
namespace {

struct Gradient {
  Update u;
  OREPA_HD const Update& update() const { return u; }
  OREPA_HD float operator()(int64_t i, const StepScale& step) const { return u.scaled(i, step); }
};

struct LocalRate {
  Update u;
  OREPA_HD float operator()(float weights, float gradients) const {
    return u.step->rule.trust_coefficient * weights / (gradients + u.l2 * weights);
  }
};

struct LarsMomentum {
  Update u;
  const float* local;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const float g = *local * u.regularized(i, step), rate = u.rate(step);
    const float v = step.rule.momentum * u.first(i) + (step.rule.rate_in_momentum ? rate * g : g);
    u.first(i) = v;
    u.weight[i] -= step.rule.rate_in_momentum ? v : rate * v;
  }
};

// You, Gitman and Ginsburg, 2017, algorithm 1.
class LARS : public UpdateRule {
  int64_t scratch_bytes(int64_t count) const override { return NormRatio::bytes(count); }
  void apply(const Device& device, const Update& update) override {
    const float* local = make_ratio(device, Gradient{update}, LocalRate{update});
    update_each(device, update, LarsMomentum{update, local});
  }
};

OREPA_SOLVER(LARS, "SGD whose rate is, for each parameter, eta |W| / (|g| + decay |W|) times lr");

}  // namespace
}  // namespace orepa
