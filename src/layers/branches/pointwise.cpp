#include "layers/branches/pointwise.h"

namespace orepa {
namespace {

// Row (o, h): W[o, first + h, i] += s[o] pattern[o, first + h] E[o, i].
struct Spread {
  const float *scale, *kernel, *pattern;
  int64_t first, taps, all_taps, columns;
  float* weight;
  OREPA_HD void operator()(int64_t r, int64_t i) const {
    const int64_t o = r / taps, tap = o * all_taps + first + r % taps;
    weight[tap * columns + i] += scale[o] * pattern[tap] * kernel[o * columns + i];
  }
};

// u[o, i] = sum over h of pattern[o, h] dW[o, h, i] gives dE = s[o] u and the terms u E of ds[o].
struct Gather {
  const float *scale, *kernel, *pattern, *dweight;
  int64_t first, taps, all_taps, columns;
  float* gradient;
  OREPA_HD int64_t terms(int64_t) const { return taps; }
  OREPA_HD float term(int64_t o, int64_t h, int64_t i) const {
    const int64_t tap = o * all_taps + first + h;
    return pattern[tap] * dweight[tap * columns + i];
  }
  OREPA_HD float result(int64_t o, int64_t i, float u) const {
    const int64_t at = o * columns + i;
    if (gradient != nullptr) gradient[at] = scale[o] * u;
    return u * kernel[at];
  }
};

}  // namespace

void PointwiseBranch::setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
                            const std::string& prefix) {
  geometry_ = geometry;
  first_tap_ = centre_only() ? geometry.taps() / 2 : 0;
  taps_ = centre_only() ? 1 : geometry.taps();
  const Shape shape{geometry.outputs, geometry.inputs_per_group(), 1, 1};
  kernel_ = setup.factor(prefix + "weight", shape, spec.filler);
  scale_.setup(setup, geometry, spec, prefix);
  pattern_ =
      setup.constant({geometry.outputs, geometry.taps()}, [this] { return pattern(geometry_); });
}

void PointwiseBranch::compose(Pass& pass, const OutputBlock& block, float* weight,
                              bool accumulate) {
  const int64_t columns = geometry_.inputs_per_group(), taps = geometry_.taps();
  if (!accumulate)
    pass.device().zero(weight, block.count * taps * columns * int64_t{sizeof(float)});
  parallel_rows(
      pass.device(), block.count * taps_, columns,
      Spread{scale_.values(pass, block), block.of(pass.parameter(kernel_).floats(), columns),
             block.of(pass.floats(pattern_), taps), first_tap_, taps_, taps, columns, weight});
}

void PointwiseBranch::differentiate(Pass& pass, const OutputBlock& block, const float* dweight) {
  const int64_t columns = geometry_.inputs_per_group(), taps = geometry_.taps();
  contract_rows(
      pass.device(), block.count, columns,
      Gather{scale_.values(pass, block), block.of(pass.parameter(kernel_).floats(), columns),
             block.of(pass.floats(pattern_), taps), dweight, first_tap_, taps_, taps, columns,
             block.of(pass.gradient(kernel_).floats(), columns)},
      scale_.gradient(pass, block));
}

}  // namespace orepa
