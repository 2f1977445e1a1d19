#include "layers/branches/scaled.h"

namespace orepa {
namespace {

// W[o, h, i] = or += s[o] P[o, h, i]
struct AddScaled {
  const float *scale, *kernel;
  int64_t rows_per_scale, columns;
  bool accumulate;
  float* weight;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t at = r * columns + j;
    weight[at] = (accumulate ? weight[at] : 0.0f) + scale[r / rows_per_scale] * kernel[at];
  }
};

class KxK : public WeightBranch {
 public:
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
             const std::string& prefix) override {
    geometry_ = geometry;
    kernel_ = setup.factor(prefix + "weight", geometry.shape(), spec.filler);
    scale_ = declare_scale(setup, geometry, spec, prefix);
  }

  void prepare(Pass& pass, float* weight, bool accumulate) override {
    parallel_rows(pass.device(), rows(), columns(),
                  AddScaled{pass.parameter(scale_).data, pass.parameter(kernel_).data,
                            geometry_.taps(), columns(), accumulate, weight});
  }

  void finish(Pass& pass, const float* dweight) override {
    if (const Tensor dscale = pass.gradient(scale_)) {
      const int64_t each = geometry_.taps() * columns();
      reduce_rows(pass.device(), geometry_.outputs, each,
                  RowDot{dweight, pass.parameter(kernel_).data, each}, dscale.data);
    }
    if (const Tensor dkernel = pass.gradient(kernel_))
      parallel_rows(pass.device(), rows(), columns(),
                    ScaleRows{pass.parameter(scale_).data, dweight, geometry_.taps(), columns(),
                              dkernel.data});
  }

 private:
  int64_t rows() const { return geometry_.outputs * geometry_.taps(); }
  int64_t columns() const { return geometry_.inputs_per_group(); }
  KernelGeometry geometry_;
  Handle kernel_ = -1, scale_ = -1;
};

OREPA_BRANCH(KxK, "kxk", "a plain kernel: s[o] P[o,i,h,w]");

}  // namespace
}  // namespace orepa
