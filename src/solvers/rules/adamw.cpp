#include "solvers/rules/moments.h"

namespace orepa {
namespace {

struct AdamWStep {
  Moments moments;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const Update& u = moments.u;
    moments.add(i, u.scaled(i, step), step);
    u.weight[i] -= u.rate(step) * (moments.change(i, step) + u.decay(i));
  }
};

// Loshchilov and Hutter, ICLR 2019, algorithm 2.
class AdamW : public UpdateRule {
  int histories() const override { return 2; }
  void apply(const Device& device, const Update& update) override {
    update_each(device, update, AdamWStep{{update}});
  }
};

OREPA_SOLVER(AdamW, "Adam whose decay is no part of the gradient: W -= lr (Adam's step + decay W)");

}  // namespace
}  // namespace orepa
