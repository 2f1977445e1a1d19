#include <algorithm>

#include "layers/branches/product.h"

namespace orepa {
namespace {

class PointwiseTwice : public ProductBranch {
  // T = min(C, O). One factor starts as the identity: M where O > C, else N.
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
             const std::string& prefix) override {
    setup.require(geometry.size == 1 && geometry.groups == 1,
                  "branch \"1x1_1x1\" needs kernel_size 1 and group 1, got ", geometry.size,
                  " and ", geometry.groups);
    Filler identity;
    identity.type = "identity";
    const bool widens = geometry.outputs > geometry.inputs;
    Factors factors;
    factors.first = "first";
    factors.second = "second";
    factors.first_filler = widens ? identity : spec.filler;
    factors.second_filler = widens ? spec.filler : identity;
    factors.middle = std::min(geometry.inputs, geometry.outputs);
    declare(setup, geometry, spec, prefix, factors);
  }
};

OREPA_BRANCH(PointwiseTwice, "1x1_1x1", "1x1, then 1x1 (K = 1 only): s[o] sum_t N[o,t] M[t,i]");

}  // namespace
}  // namespace orepa
