// What most branches share: a scaling vector s of length O, initially spec.scale, and its gradient
// ds[o] = <dW[o], K[o]>, taken from the unscaled kernel K and never by dividing.
#pragma once
#include <string>

#include "orepa/branch.h"
#include "orepa/parallel.h"

namespace orepa {

class Scaling {
 public:
  // Declares the vector; the last factor of its branch.
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
             const std::string& prefix) {
    const Shape shape{geometry.outputs};
    vector_ = setup.factor(prefix + "scale", shape, Filler::constant(spec.scale));
    unwanted_ = setup.scratch(Stage::kFinish, shape.bytes());
  }
  const float* values(Pass& pass, const OutputBlock& block) const {
    return block.of(pass.parameter(vector_).floats());
  }
  // Where ds goes; scratch where nobody wants it, since it is a by-product.
  float* gradient(Pass& pass, const OutputBlock& block) const {
    const Tensor wanted = pass.gradient(vector_);
    return block.of(wanted ? wanted.floats() : pass.floats(unwanted_));
  }

 private:
  Handle vector_ = -1, unwanted_ = -1;
};

// Terms of ds[o] = sum over j of unscaled[o, j] kernel[o, j], where `unscaled` is dL/d(s K); on the
// way gradient[o, j] = s[o] unscaled[o, j], if anybody wants it.
struct ScaleGradient {
  const float *scale, *unscaled, *kernel;
  int64_t columns;
  float* gradient;
  OREPA_HD float operator()(int64_t o, int64_t j) const {
    const int64_t at = o * columns + j;
    const float u = unscaled[at];
    if (gradient != nullptr) gradient[at] = scale[o] * u;
    return u * kernel[at];
  }
};

}  // namespace orepa
