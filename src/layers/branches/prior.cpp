#include "layers/branches/prior.h"

#include <cmath>

#include "layers/branches/pointwise.h"

namespace orepa {

std::vector<float> frequency_prior(int64_t outputs, int64_t size) {
  constexpr double kPi = 3.14159265358979323846;
  const double half = static_cast<double>(outputs) / 2;
  std::vector<float> phi;
  for (int64_t o = 0; o < outputs; ++o)
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

namespace {

// Cosines along one axis, fixed; for every K, where the published code fills 3 x 3 taps only.
class FrequencyPrior : public PointwiseBranch {
  std::vector<float> pattern(const KernelGeometry& geometry) const override {
    return frequency_prior(geometry.outputs, geometry.size);
  }
};

OREPA_BRANCH(FrequencyPrior, "prior", "1x1, then fixed cosines: s[o] F[o,i] Phi[o,h,w]");

}  // namespace
}  // namespace orepa
