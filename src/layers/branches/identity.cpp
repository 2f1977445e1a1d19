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
    each_ = geometry.inputs_per_group();
    offset_ = setup.factor(prefix + "weight", geometry.shape(), Filler::constant(0));
  }

  void compose(Pass& pass, const OutputBlock& block, float* weight, bool accumulate) override {
    parallel_rows(pass.device(), block.count, each_,
                  PlusIdentity{block.of(pass.parameter(offset_).floats(), each_), block.first,
                               each_, accumulate, weight});
  }

  void differentiate(Pass& pass, const OutputBlock& block, const float* dweight) override {
    if (const Tensor gradient = pass.gradient(offset_))
      pass.device().copy(block.of(gradient.floats(), each_), dweight,
                         block.count * each_ * int64_t{sizeof(float)});
  }

 private:
  int64_t each_ = 0;  // numbers of W an output
  Handle offset_ = -1;
};

OREPA_BRANCH(Identity, "identity", "1x1 learned as its offset from the identity (K = 1): M + I");

}  // namespace
}  // namespace orepa
