#include "solvers/rules/moments.h"
#include "solvers/rules/norm_ratio.h"

namespace orepa {
namespace {

struct AddToMoments {
  Moments moments;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    moments.add(i, moments.u.scaled(i, step), step);
  }
};

struct Change {
  Moments moments;
  OREPA_HD const Update& update() const { return moments.u; }
  OREPA_HD float operator()(int64_t i, const StepScale& step) const {
    return moments.change(i, step) + moments.u.decay(i);
  }
};

struct Quotient {
  OREPA_HD float operator()(float weights, float changes) const { return weights / changes; }
};

struct LambStep {
  Change change;
  const float* ratio;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    const Update& u = change.update();
    u.weight[i] -= u.rate(step) * *ratio * change(i, step);
  }
};

// You et al., ICLR 2020, algorithm 2, whose phi is the identity.
class LAMB : public UpdateRule {
  int histories() const override { return 2; }
  int64_t scratch_bytes(int64_t count) const override { return NormRatio::bytes(count); }
  void apply(const Device& device, const Update& update) override {
    const Change change{{update}};
    update_each(device, update, AddToMoments{{update}});
    update_each(device, update, LambStep{change, make_ratio(device, change, Quotient{})});
  }
};

OREPA_SOLVER(LAMB, "AdamW whose change of each parameter is made as large as |W|, times lr");

}  // namespace
}  // namespace orepa
