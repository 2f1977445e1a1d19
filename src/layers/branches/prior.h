// The fixed factor of the prior branch.
#pragma once
#include <cstdint>
#include <vector>

namespace orepa {

// Phi[o,h,w] = cos(pi (h + 1/2) (o + 1) / K) where o < O/2, else cos(pi (w + 1/2) (o + 1 - O/2) /
// K), for O outputs and K x K taps.
std::vector<float> frequency_prior(int64_t outputs, int64_t size);

}  // namespace orepa
