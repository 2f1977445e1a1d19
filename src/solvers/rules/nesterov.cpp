#include "orepa/update_rule.h"

namespace orepa {
namespace {

// Caffe: V' = mu V + lr g, W -= (1 + mu) V' - mu V. PyTorch: v' = mu v + g, W -= lr (g + mu v').
struct NesterovMomentum {
  Update u;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const float g = u.regularized(i, step), before = u.history[i], rate = u.rate(step);
    const float v = u.momentum * before + (u.rate_in_momentum ? rate * g : g);
    u.history[i] = v;
    u.weight[i] -= u.rate_in_momentum ? (1 + u.momentum) * v - u.momentum * before
                                      : rate * (g + u.momentum * v);
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
