// Bottoms of as many numbers as bottom 0, compared with it number by number in Caffe's order: their
// shapes may differ, and with them how they lie in memory.
#pragma once
#include "layers/axis.h"

namespace orepa {

// Where the partner of number i of bottom 0 (as stored) lies.
class PartnerOrder {
 public:
  PartnerOrder() = default;
  // Throws Error where bottom `input` has another count, or other samples.
  PartnerOrder(const Setup& setup, int input)
      : from_(setup.input(0)),
        to_(setup.input(input)),
        same_(setup.input(0) == setup.input(input)) {
    const Shape &first = setup.input(0), &second = setup.input(input);
    setup.require(first.rank() > 0 && second.rank() > 0 && first[0] == second[0] &&
                      first.count() == second.count(),
                  "compares bottoms number by number: bottom 0 is ", first.str(), ", but bottom ",
                  input, " is ", second.str());
  }
  OREPA_HD int64_t operator()(int64_t i) const { return same_ ? i : to_.stored(from_.logical(i)); }

 private:
  LogicalOrder from_{Shape{}}, to_{Shape{}};
  bool same_ = true;
};

// Number i of bottom 0 less its partner of bottom 1.
struct Difference {
  const float *a, *b;
  PartnerOrder partner;

  static Difference of(Pass& pass, const PartnerOrder& partner) {
    return {pass.input(0).floats(), pass.input(1).floats(), partner};
  }
  OREPA_HD float operator()(int64_t i) const { return a[i] - b[partner(i)]; }
};

// The gradients of both bottoms, where they are wanted, of a loss of their differences: slope(i) is
// that by number i of bottom 0, before it is divided.
template <class Slope>
struct DifferenceGradient {
  Slope slope;
  PartnerOrder partner;
  const float *divisor, *dloss;
  float *da, *db;

  OREPA_HD void operator()(int64_t i) const {
    const float d = dloss[0] / divisor[0] * slope(i);
    if (da != nullptr) da[i] = d;
    if (db != nullptr) db[partner(i)] = -d;
  }
};
template <class Slope>
void backward_of_difference(Pass& pass, const Slope& slope, const PartnerOrder& partner,
                            const float* divisor) {
  parallel_for(
      pass.device(), pass.input(0).count(),
      DifferenceGradient<Slope>{slope, partner, divisor, pass.output_gradient(0).floats(),
                                pass.input_gradient(0).floats(), pass.input_gradient(1).floats()});
}

}  // namespace orepa
