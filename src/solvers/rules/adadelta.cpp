#include "orepa/update_rule.h"

namespace orepa {
namespace {

// Means of g^2 and of the squares of the steps, before the rate.
struct MeansOfSquares {
  Update u;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const float g = u.regularized(i, step), mu = step.rule.momentum;
    const float gradients = mu * u.first(i) + (1 - mu) * g * g;
    const float before = u.second(i);
    const float change = g * sqrtf((before + step.rule.delta) / (gradients + step.rule.delta));
    u.first(i) = gradients;
    u.second(i) = mu * before + (1 - mu) * change * change;
    u.weight[i] -= u.rate(step) * change;
  }
};

// Zeiler, 2012, as Caffe has it: momentum is the paper's rho.
class AdaDelta : public UpdateRule {
  int histories() const override { return 2; }
  void apply(const Device& device, const Update& update) override {
    update_each(device, update, MeansOfSquares{update});
  }
};

OREPA_SOLVER(AdaDelta, "W -= lr g RMS(steps so far) / RMS(gradients so far)");

}  // namespace
}  // namespace orepa
