#include "layers/branches/product.h"

#include "layers/branches/scaled.h"

namespace orepa {
namespace {

struct PlusIdentity {
  const float* m;
  int64_t columns;
  float* to;
  OREPA_HD void operator()(int64_t t, int64_t i) const {
    to[t * columns + i] = m[t * columns + i] + (i == t % columns ? 1.0f : 0.0f);
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
  scale_ = declare_scale(setup, geometry, spec, prefix);
  if (plus_identity_) {
    prepare_first_ = setup.scratch(Stage::kPrepare, first.bytes());
    finish_first_ = setup.scratch(Stage::kFinish, first.bytes());
  }
  prepare_second_ = setup.scratch(Stage::kPrepare, second.bytes());
  finish_second_ = setup.scratch(Stage::kFinish, second.bytes());
  unwanted_ = setup.scratch(Stage::kFinish, second.bytes());
}

const float* ProductBranch::first(Pass& pass, Handle scratch) {
  const Tensor m = pass.parameter(first_);
  if (!plus_identity_) return m.data;
  float* sum = pass.floats(scratch);
  parallel_rows(pass.device(), m.shape[0], m.shape[1], PlusIdentity{m.data, m.shape[1], sum});
  return sum;
}

const float* ProductBranch::scaled_second(Pass& pass, Handle scratch) {
  float* scaled = pass.floats(scratch);
  parallel_rows(pass.device(), geometry_.outputs, geometry_.taps() * middle_,
                ScaleRows{pass.parameter(scale_).data, pass.parameter(second_).data, 1,
                          geometry_.taps() * middle_, scaled});
  return scaled;
}

void ProductBranch::prepare(Pass& pass, float* weight, bool accumulate) {
  const float* m = first(pass, prepare_first_);
  const float* n = scaled_second(pass, prepare_second_);
  const int64_t rows = geometry_.outputs_per_group() * geometry_.taps();
  const int64_t columns = geometry_.inputs_per_group();
  for (int64_t g = 0; g < geometry_.groups; ++g) {
    Gemm gemm{false, false, rows, columns, middle_};
    gemm.a = n + g * rows * middle_, gemm.lda = middle_;
    gemm.b = m + g * middle_ * columns, gemm.ldb = columns;
    gemm.c = weight + g * rows * columns, gemm.ldc = columns;
    gemm.beta = accumulate ? 1.0f : 0.0f;
    pass.device().gemm(gemm);
  }
}

// dN unscaled = dW (M + I)^T, ds = <dN unscaled, N>, dN = s dN unscaled, dM = (s N)^T dW
void ProductBranch::finish(Pass& pass, const float* dweight) {
  Device& device = pass.device();
  const int64_t rows = geometry_.outputs_per_group() * geometry_.taps();
  const int64_t columns = geometry_.inputs_per_group(), each = geometry_.taps() * middle_;
  const Tensor dsecond = pass.gradient(second_), dscale = pass.gradient(scale_);
  if (dsecond || dscale) {
    float* unscaled = dsecond ? dsecond.data : pass.floats(unwanted_);
    const float* m = first(pass, finish_first_);
    for (int64_t g = 0; g < geometry_.groups; ++g) {
      Gemm gemm{false, true, rows, middle_, columns};
      gemm.a = dweight + g * rows * columns, gemm.lda = columns;
      gemm.b = m + g * middle_ * columns, gemm.ldb = columns;
      gemm.c = unscaled + g * rows * middle_, gemm.ldc = middle_;
      device.gemm(gemm);
    }
    if (dscale)
      reduce_rows(device, geometry_.outputs, each,
                  RowDot{unscaled, pass.parameter(second_).data, each}, dscale.data);
    parallel_rows(device, geometry_.outputs, each,
                  ScaleRows{pass.parameter(scale_).data, unscaled, 1, each, unscaled});
  }
  if (const Tensor dfirst = pass.gradient(first_)) {
    const float* n = scaled_second(pass, finish_second_);
    for (int64_t g = 0; g < geometry_.groups; ++g) {
      Gemm gemm{true, false, middle_, columns, rows};
      gemm.a = n + g * rows * middle_, gemm.lda = middle_;
      gemm.b = dweight + g * rows * columns, gemm.ldb = columns;
      gemm.c = dfirst.data + g * middle_ * columns, gemm.ldc = columns;
      device.gemm(gemm);
    }
  }
}

}  // namespace orepa
