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
    outputs_ = geometry.outputs;
    each_ = geometry.taps() * geometry.inputs_per_group();
    kernel_ = setup.factor(prefix + "weight", geometry.shape(), spec.filler);
    scale_.setup(setup, geometry, spec, prefix);
  }

  void prepare(Pass& pass, float* weight, bool accumulate) override {
    parallel_rows(pass.device(), outputs_, each_,
                  AddScaled{scale_.values(pass), pass.parameter(kernel_).floats(), each_,
                            accumulate, weight});
  }

  void finish(Pass& pass, const float* dweight) override {
    reduce_rows(pass.device(), outputs_, each_,
                ScaleGradient{scale_.values(pass), dweight, pass.parameter(kernel_).floats(), each_,
                              pass.gradient(kernel_).floats()},
                scale_.gradient(pass));
  }

 private:
  int64_t outputs_ = 0, each_ = 0;  // rows of W and the numbers in each
  Handle kernel_ = -1;
  Scaling scale_;
};

OREPA_BRANCH(KxK, "kxk", "a plain kernel: s[o] P[o,i,h,w]");

}  // namespace
}  // namespace orepa
