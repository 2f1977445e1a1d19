#include "orepa/update_rule.h"

namespace orepa {
namespace {

// Caffe: V' = mu V + lr g, W -= (1 + mu) V' - mu V. PyTorch: v' = mu v + g, W -= lr (g + mu v').
struct NesterovMomentum {
  Update u;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const float g = u.regularized(i, step), before = u.first(i), rate = u.rate(step);
    const float v = step.rule.momentum * before + (step.rule.rate_in_momentum ? rate * g : g);
    u.first(i) = v;
    u.weight[i] -= step.rule.rate_in_momentum
                       ? (1 + step.rule.momentum) * v - step.rule.momentum * before
                       : rate * (g + step.rule.momentum * v);
  }
};

class Nesterov : public UpdateRule {
  void apply(const Device& device, const Update& update) override {
    update_each(device, update, NesterovMomentum{update});
  }
};

OREPA_SOLVER(Nesterov, "SGD with Nesterov's accelerated gradient");

}  // namespace
}  // namespace orepa
