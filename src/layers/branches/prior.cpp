#include <cmath>

#include "layers/branches/pointwise.h"

namespace orepa {
namespace {

// Phi[o,h,w] = cos(pi (h + 1/2) (o + 1) / K) where o < O/2, else cos(pi (w + 1/2) (o + 1 - O/2) /
// K): cosines along one axis, fixed. For every K; the published code fills it for 3 x 3 only.
class FrequencyPrior : public PointwiseBranch {
  std::vector<float> pattern(const KernelGeometry& geometry) const override {
    constexpr double kPi = 3.14159265358979323846;
    const int64_t size = geometry.size;
    const double half = static_cast<double>(geometry.outputs) / 2;
    std::vector<float> phi;
    for (int64_t o = 0; o < geometry.outputs; ++o)
      for (int64_t h = 0; h < size; ++h)
        for (int64_t w = 0; w < size; ++w) {
          const bool along_height = static_cast<double>(o) < half;
          const double place = static_cast<double>(along_height ? h : w) + 0.5;
          const double frequency = static_cast<double>(o) + 1 - (along_height ? 0 : half);
          phi.push_back(
              static_cast<float>(std::cos(kPi * place * frequency / static_cast<double>(size))));
        }
    return phi;
  }
};

OREPA_BRANCH(FrequencyPrior, "prior", "1x1, then fixed cosines: s[o] F[o,i] Phi[o,h,w]");

}  // namespace
}  // namespace orepa
