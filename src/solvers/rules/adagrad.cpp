#include "orepa/update_rule.h"

namespace orepa {
namespace {

struct SumOfSquares {
  Update u;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const float g = u.regularized(i, step);
    const float h = u.first(i) + g * g;
    u.first(i) = h;
    u.weight[i] -= u.rate(step) * g / (sqrtf(h) + step.rule.delta);
  }
};

// Duchi et al., JMLR 2011, as Caffe has it.
class AdaGrad : public UpdateRule {
  void check(const Options& solver) const override { require_no_momentum(solver, "AdaGrad"); }
  void apply(const Device& device, const Update& update) override {
    update_each(device, update, SumOfSquares{update});
  }
};

OREPA_SOLVER(AdaGrad, "H += g^2, W -= lr g / (sqrt(H) + delta)");

}  // namespace
}  // namespace orepa
