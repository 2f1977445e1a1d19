#include "layers/branches/pointwise.h"

namespace orepa {
namespace {

class Average : public PointwiseBranch {
  std::vector<float> pattern(const KernelGeometry& geometry) const override {
    const float share = 1.0f / static_cast<float>(geometry.taps());
    return std::vector<float>(static_cast<size_t>(geometry.outputs * geometry.taps()), share);
  }
};

OREPA_BRANCH(Average, "avg", "1x1, then average pooling: s[o] A[o,i] / K^2");

}  // namespace
}  // namespace orepa
