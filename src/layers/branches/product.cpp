#include "layers/branches/product.h"

#include "layers/branches/plus_identity.h"

namespace orepa {
namespace {

// to[o, j] = s[o] N[o, j]
struct ScaleSecond {
  const float *scale, *second;
  int64_t columns;
  float* to;
  OREPA_HD void operator()(int64_t o, int64_t j) const {
    to[o * columns + j] = scale[o] * second[o * columns + j];
  }
};

// Terms of ds[o] and dN, as ScaleGradient, and s N in the same walk. `scaled` may be where
// dN unscaled stands.
struct SecondGradient {
  ScaleGradient gradient;
  float* scaled;
  OREPA_HD float operator()(int64_t o, int64_t j) const {
    const float term = gradient(o, j);
    const int64_t at = o * gradient.columns + j;
    scaled[at] = gradient.scale[o] * gradient.kernel[at];
    return term;
  }
};

}  // namespace

void ProductBranch::declare(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
                            const std::string& prefix, const Factors& factors) {
  geometry_ = geometry;
  setup.require(factors.middle > 0 && factors.middle % geometry.groups == 0, "branch \"", spec.name,
                "\": middle_channels must be a multiple of group ", geometry.groups, ", got ",
                factors.middle);
  middle_ = factors.middle / geometry.groups;
  plus_identity_ = factors.plus_identity;
  const Shape first{factors.middle, geometry.inputs_per_group(), 1, 1};
  const Shape second{geometry.outputs, middle_, geometry.size, geometry.size};
  first_ = setup.factor(prefix + factors.first, first, factors.first_filler);
  second_ = setup.factor(prefix + factors.second, second, factors.second_filler);
  scale_.setup(setup, geometry, spec, prefix);
  if (plus_identity_) {
    prepare_first_ = setup.scratch(Stage::kPrepare, first.bytes());
    finish_first_ = setup.scratch(Stage::kFinish, first.bytes());
  }
  prepare_second_ = setup.scratch(Stage::kPrepare, second.bytes());
  finish_second_ = setup.scratch(Stage::kFinish, second.bytes());
}

const float* ProductBranch::first(Pass& pass, Handle scratch) {
  const Tensor m = pass.parameter(first_);
  if (!plus_identity_) return m.floats();
  float* sum = pass.floats(scratch);
  parallel_rows(pass.device(), m.shape[0], m.shape[1],
                PlusIdentity{m.floats(), m.shape[1], false, sum});
  return sum;
}

void ProductBranch::prepare(Pass& pass, float* weight, bool accumulate) {
  const float* m = first(pass, prepare_first_);
  float* n = pass.floats(prepare_second_);
  parallel_rows(pass.device(), geometry_.outputs, each(),
                ScaleSecond{scale_.values(pass), pass.parameter(second_).floats(), each(), n});
  const int64_t rows = geometry_.outputs_per_group() * geometry_.taps();
  const int64_t columns = geometry_.inputs_per_group();
  Gemm gemm{false, false, rows, columns, middle_};
  gemm.a = n, gemm.lda = middle_, gemm.stride_a = rows * middle_;
  gemm.b = m, gemm.ldb = columns, gemm.stride_b = middle_ * columns;
  gemm.c = weight, gemm.ldc = columns, gemm.stride_c = rows * columns;
  gemm.batch = geometry_.groups;
  gemm.beta = accumulate ? 1.0f : 0.0f;
  pass.device().gemm(gemm);
}

// dN unscaled = dW (M + I)^T, ds = <dN unscaled, N>, dN = s dN unscaled, dM = (s N)^T dW
void ProductBranch::finish(Pass& pass, const float* dweight) {
  Device& device = pass.device();
  const int64_t rows = geometry_.outputs_per_group() * geometry_.taps();
  const int64_t columns = geometry_.inputs_per_group();
  const Tensor dsecond = pass.gradient(second_), dfirst = pass.gradient(first_);
  const float* m = first(pass, finish_first_);
  float* n = pass.floats(finish_second_);
  float* unscaled = dsecond ? dsecond.floats() : n;
  Gemm to_second{false, true, rows, middle_, columns};
  to_second.a = dweight, to_second.lda = columns, to_second.stride_a = rows * columns;
  to_second.b = m, to_second.ldb = columns, to_second.stride_b = middle_ * columns;
  to_second.c = unscaled, to_second.ldc = middle_, to_second.stride_c = rows * middle_;
  to_second.batch = geometry_.groups;
  device.gemm(to_second);
  reduce_rows(device, geometry_.outputs, each(),
              SecondGradient{{scale_.values(pass), unscaled, pass.parameter(second_).floats(),
                              each(), dsecond.floats()},
                             n},
              scale_.gradient(pass));
  if (!dfirst) return;
  Gemm to_first{true, false, middle_, columns, rows};
  to_first.a = n, to_first.lda = middle_, to_first.stride_a = rows * middle_;
  to_first.b = dweight, to_first.ldb = columns, to_first.stride_b = rows * columns;
  to_first.c = dfirst.floats(), to_first.ldc = columns, to_first.stride_c = middle_ * columns;
  to_first.batch = geometry_.groups;
  device.gemm(to_first);
}

}  // namespace orepa
