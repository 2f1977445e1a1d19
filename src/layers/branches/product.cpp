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

// Row (g, i): to[g, i, t] = M[g T/G + t, i].
struct Transpose {
  const float* m;
  int64_t columns, middle;
  float* to;
  OREPA_HD void operator()(int64_t r, int64_t t) const {
    to[r * middle + t] = m[(r / columns * middle + t) * columns + r % columns];
  }
};

// And I on top of it, for row t of M.
struct AddIdentity {
  int64_t columns, middle;
  float* to;
  OREPA_HD void operator()(int64_t t) const {
    to[(t / middle * columns + t % columns) * middle + t % middle] += 1;
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
  if (plus_identity_) sum_ = setup.scratch(Stage::kPrepare, first.bytes());
  transposed_ = setup.scratch(Stage::kFinish, first.bytes());
  blocks_ = OutputBlocks(setup.device(), geometry);
  block_second_ = blocks_.scratch(setup, Stage::kPrepare, each());
  scaled_second_ = setup.scratch(Stage::kFinish, second.bytes());
}

void ProductBranch::begin(Pass& pass, Stage stage) {
  const float* m = pass.parameter(first_).floats();
  const int64_t columns = geometry_.inputs_per_group(), groups = geometry_.groups;
  if (stage == Stage::kPrepare) {
    if (plus_identity_)
      parallel_rows(pass.device(), groups * middle_, columns,
                    PlusIdentity{m, 0, columns, false, pass.floats(sum_)});
    return;
  }
  float* transposed = pass.floats(transposed_);
  parallel_rows(pass.device(), groups * columns, middle_,
                Transpose{m, columns, middle_, transposed});
  if (plus_identity_)
    parallel_for(pass.device(), groups * middle_, AddIdentity{columns, middle_, transposed});
}

void ProductBranch::compose(Pass& pass, const OutputBlock& block, float* weight, bool accumulate) {
  float* n = blocks_.scratch(pass, block_second_, block, each());
  parallel_rows(pass.device(), block.count, each(),
                ScaleSecond{scale_.values(pass, block),
                            block.of(pass.parameter(second_).floats(), each()), each(), n});
  const int64_t rows = block.count / block.groups * geometry_.taps();
  const int64_t columns = geometry_.inputs_per_group(), stride_m = middle_ * columns;
  const float* m = plus_identity_ ? pass.floats(sum_) : pass.parameter(first_).floats();
  Gemm gemm{false, false, rows, columns, middle_};
  gemm.a = n, gemm.lda = middle_, gemm.stride_a = rows * middle_;
  gemm.b = m + block.group * stride_m, gemm.ldb = columns, gemm.stride_b = stride_m;
  gemm.c = weight, gemm.ldc = columns, gemm.stride_c = rows * columns;
  gemm.batch = block.groups;
  gemm.beta = accumulate ? 1.0f : 0.0f;
  pass.device().gemm(gemm);
}

// dN unscaled = dW (M + I)^T, ds = <dN unscaled, N>, dN = s dN unscaled
void ProductBranch::differentiate(Pass& pass, const OutputBlock& block, const float* dweight) {
  const int64_t rows = block.count / block.groups * geometry_.taps();
  const int64_t columns = geometry_.inputs_per_group(), stride_m = middle_ * columns;
  float* n = block.of(pass.floats(scaled_second_), each());
  float* dsecond = block.of(pass.gradient(second_).floats(), each());
  float* unscaled = dsecond != nullptr ? dsecond : n;
  Gemm gemm{false, false, rows, middle_, columns};
  gemm.a = dweight, gemm.lda = columns, gemm.stride_a = rows * columns;
  gemm.b = pass.floats(transposed_) + block.group * stride_m, gemm.ldb = middle_;
  gemm.stride_b = stride_m;
  gemm.c = unscaled, gemm.ldc = middle_, gemm.stride_c = rows * middle_;
  gemm.batch = block.groups;
  pass.device().gemm(gemm);
  reduce_rows(pass.device(), block.count, each(),
              SecondGradient{{scale_.values(pass, block), unscaled,
                              block.of(pass.parameter(second_).floats(), each()), each(), dsecond},
                             n},
              scale_.gradient(pass, block));
}

// dM = (s N)^T dW
void ProductBranch::end(Pass& pass, const float* dweight) {
  const Tensor dfirst = pass.gradient(first_);
  if (!dfirst) return;
  const int64_t rows = geometry_.outputs_per_group() * geometry_.taps();
  const int64_t columns = geometry_.inputs_per_group();
  Gemm gemm{true, false, middle_, columns, rows};
  gemm.a = pass.floats(scaled_second_), gemm.lda = middle_, gemm.stride_a = rows * middle_;
  gemm.b = dweight, gemm.ldb = columns, gemm.stride_b = rows * columns;
  gemm.c = dfirst.floats(), gemm.ldc = columns, gemm.stride_c = middle_ * columns;
  gemm.batch = geometry_.groups;
  pass.device().gemm(gemm);
}

}  // namespace orepa
