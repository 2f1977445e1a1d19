#include "layers/branches/scaled.h"

namespace orepa {
namespace {

// W[o, j] = or += s[o] P[o, j]
struct AddScaled {
  const float *scale, *kernel;
  int64_t columns;
  bool accumulate;
  float* weight;
  OREPA_HD void operator()(int64_t o, int64_t j) const {
    const int64_t at = o * columns + j;
    weight[at] = (accumulate ? weight[at] : 0.0f) + scale[o] * kernel[at];
  }
};

class KxK : public WeightBranch {
 public:
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
             const std::string& prefix) override {
    each_ = geometry.taps() * geometry.inputs_per_group();
    kernel_ = setup.factor(prefix + "weight", geometry.shape(), spec.filler);
    scale_.setup(setup, geometry, spec, prefix);
  }

  void compose(Pass& pass, const OutputBlock& block, float* weight, bool accumulate) override {
    parallel_rows(
        pass.device(), block.count, each_,
        AddScaled{scale_.values(pass, block), block.of(pass.parameter(kernel_).floats(), each_),
                  each_, accumulate, weight});
  }

  void differentiate(Pass& pass, const OutputBlock& block, const float* dweight) override {
    reduce_rows(pass.device(), block.count, each_,
                ScaleGradient{scale_.values(pass, block), dweight,
                              block.of(pass.parameter(kernel_).floats(), each_), each_,
                              block.of(pass.gradient(kernel_).floats(), each_)},
                scale_.gradient(pass, block));
  }

 private:
  int64_t each_ = 0;  // numbers of W an output
  Handle kernel_ = -1;
  Scaling scale_;
};

OREPA_BRANCH(KxK, "kxk", "a plain kernel: s[o] P[o,i,h,w]");

}  // namespace
}  // namespace orepa
