#include "layers/branches/pointwise.h"

namespace orepa {
namespace {

class Pointwise : public PointwiseBranch {
  std::vector<float> pattern(const KernelGeometry& geometry) const override {
    return std::vector<float>(static_cast<size_t>(geometry.outputs * geometry.taps()), 1.0f);
  }
  bool centre_only() const override { return true; }
};

OREPA_BRANCH(Pointwise, "1x1", "1x1 at the centre tap: s[o] E[o,i]");

}  // namespace
}  // namespace orepa
