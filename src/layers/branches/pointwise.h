// Branches of one pointwise kernel E (O x Cg) spread over the taps by a fixed pattern:
// s[o] E[o,i] pattern[o,h,w]. A branch says what its pattern is.
#pragma once
#include <vector>

#include "layers/branches/scaled.h"

namespace orepa {

class PointwiseBranch : public WeightBranch {
 public:
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
             const std::string& prefix) override;
  void compose(Pass& pass, const OutputBlock& block, float* weight, bool accumulate) override;
  void differentiate(Pass& pass, const OutputBlock& block, const float* dweight) override;

 protected:
  // The pattern, O x K x K numbers.
  virtual std::vector<float> pattern(const KernelGeometry& geometry) const = 0;
  // The taps where the pattern is not zero for sure: all, or the centre alone.
  virtual bool centre_only() const { return false; }

 private:
  KernelGeometry geometry_;
  int64_t first_tap_ = 0, taps_ = 0;
  Handle kernel_ = -1, pattern_ = -1;
  Scaling scale_;
};

}  // namespace orepa
