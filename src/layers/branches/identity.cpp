#include "layers/branches/plus_identity.h"
#include "orepa/branch.h"

namespace orepa {
namespace {

// The identity-based 1 x 1 of the Diverse Branch Block (Ding et al., CVPR 2021): a convolution that
// starts as the identity and decays towards it.
class Identity : public WeightBranch {
 public:
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec&,
             const std::string& prefix) override {
    setup.require(geometry.size == 1 && geometry.outputs == geometry.inputs, "branch \"identity\" ",
                  "needs kernel_size 1 and as many outputs as inputs, got ", geometry.size, ", ",
                  geometry.outputs, " and ", geometry.inputs);
    geometry_ = geometry;
    offset_ = setup.factor(prefix + "weight", geometry.shape(), Filler::constant(0));
  }

  void prepare(Pass& pass, float* weight, bool accumulate) override {
    parallel_rows(pass.device(), geometry_.outputs, geometry_.inputs_per_group(),
                  PlusIdentity{pass.parameter(offset_).floats(), geometry_.inputs_per_group(),
                               accumulate, weight});
  }

  void finish(Pass& pass, const float* dweight) override {
    if (const Tensor gradient = pass.gradient(offset_))
      pass.device().copy(gradient.floats(), dweight, gradient.bytes());
  }

 private:
  KernelGeometry geometry_;
  Handle offset_ = -1;
};

OREPA_BRANCH(Identity, "identity", "1x1 learned as its offset from the identity (K = 1): M + I");

}  // namespace
}  // namespace orepa
