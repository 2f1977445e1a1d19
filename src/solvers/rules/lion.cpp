#include "orepa/update_rule.h"

namespace orepa {
namespace {

struct LionStep {
  Update u;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const float g = u.scaled(i, step), m = u.first(i);
    const float direction = step.rule.momentum * m + (1 - step.rule.momentum) * g;
    const float sign = direction == 0 ? 0.0f : copysignf(1.0f, direction);
    u.weight[i] -= u.rate(step) * (sign + u.decay(i));
    u.first(i) = step.rule.momentum2 * m + (1 - step.rule.momentum2) * g;
  }
};

// Chen et al., NeurIPS 2023, algorithm 2.
class Lion : public UpdateRule {
  void apply(const Device& device, const Update& update) override {
    update_each(device, update, LionStep{update});
  }
};

OREPA_SOLVER(Lion, "W -= lr (sign(mu m + (1 - mu) g) + decay W), of a mean m of g by momentum2");

}  // namespace
}  // namespace orepa
