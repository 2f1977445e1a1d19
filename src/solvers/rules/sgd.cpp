#include "orepa/update_rule.h"

namespace orepa {
namespace {

struct Momentum {
  Update u;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const float g = u.regularized(i, step), rate = u.rate(step);
    const float v = step.rule.momentum * u.first(i) + (step.rule.rate_in_momentum ? rate * g : g);
    u.first(i) = v;
    u.weight[i] -= step.rule.rate_in_momentum ? v : rate * v;
  }
};

class SGD : public UpdateRule {
  void apply(const Device& device, const Update& update) override {
    update_each(device, update, Momentum{update});
  }
};

OREPA_SOLVER(SGD, "stochastic gradient descent with momentum: V = mu V + lr g, W -= V");

}  // namespace
}  // namespace orepa
