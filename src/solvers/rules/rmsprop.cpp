#include "orepa/update_rule.h"

namespace orepa {
namespace {

struct MeanOfSquares {
  Update u;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const float g = u.regularized(i, step);
    const float h = step.rule.rms_decay * u.first(i) + (1 - step.rule.rms_decay) * g * g;
    u.first(i) = h;
    u.weight[i] -= u.rate(step) * g / (sqrtf(h) + step.rule.delta);
  }
};

// Tieleman and Hinton, 2012, as Caffe has it.
class RMSProp : public UpdateRule {
  void check(const Options& solver) const override { require_no_momentum(solver, "RMSProp"); }
  void apply(const Device& device, const Update& update) override {
    update_each(device, update, MeanOfSquares{update});
  }
};

OREPA_SOLVER(RMSProp, "H = rms_decay H + (1 - rms_decay) g^2, W -= lr g / (sqrt(H) + delta)");

}  // namespace
}  // namespace orepa
