#include "solvers/rules/moments.h"

namespace orepa {
namespace {

// Caffe takes the leaning of the means out of the rate, so that its delta counts for less than
// the paper's in the first updates.
struct AdamStep {
  Moments moments;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const Update& u = moments.u;
    moments.add(i, u.regularized(i, step), step);
    const auto correction = static_cast<float>(sqrt(step.bias2) / step.bias1);
    u.weight[i] -=
        u.rate(step) * correction * (u.first(i) / (sqrtf(u.second(i)) + step.rule.delta));
  }
};

class Adam : public UpdateRule {
  int histories() const override { return 2; }
  void apply(const Device& device, const Update& update) override {
    update_each(device, update, AdamStep{{update}});
  }
};

OREPA_SOLVER(Adam, "W -= lr m / (sqrt(v) + delta), of means m of g and v of g^2");

}  // namespace
}  // namespace orepa
