#include "layers/branches/product.h"

namespace orepa {
namespace {

class PointwiseThenKernel : public ProductBranch {
  // M is the learned offset from the identity and starts at 0. T = C where G <= 4, else 2 C.
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
             const std::string& prefix) override {
    const int64_t published = geometry.groups <= 4 ? geometry.inputs : 2 * geometry.inputs;
    Factors factors;
    factors.first = "pointwise";
    factors.second = "weight";
    factors.first_filler = Filler::constant(0);
    factors.second_filler = spec.filler;
    factors.middle = spec.middle_channels > 0 ? spec.middle_channels : published;
    factors.plus_identity = true;
    declare(setup, geometry, spec, prefix, factors);
  }
};

OREPA_BRANCH(PointwiseThenKernel, "1x1_kxk", "1x1, then KxK: s[o] sum_t N[o,t,h,w] (M + I)[t,i]");

}  // namespace
}  // namespace orepa
