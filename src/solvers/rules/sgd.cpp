#include "orepa/update_rule.h"

namespace orepa {
namespace {

struct Momentum {
  Update u;
  OREPA_HD void operator()(int64_t i) const {
    const float g = u.regularized(i);
    const float v = u.momentum * u.history[i] + (u.rate_in_momentum ? u.rate * g : g);
    u.history[i] = v;
    u.weight[i] -= u.rate_in_momentum ? v : u.rate * v;
  }
};

class SGD : public UpdateRule {
  void apply(const Device& device, const Update& update) override {
    parallel_for(device, update.count, Momentum{update});
  }
};

OREPA_SOLVER(SGD, "stochastic gradient descent with momentum: V = mu V + lr g, W -= V");

}  // namespace
}  // namespace orepa
