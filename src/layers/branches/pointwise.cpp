#include "layers/branches/pointwise.h"

#include "layers/branches/scaled.h"

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

// unscaled[o, i] = sum over h of pattern[o, h] dW[o, h, i]; gradient = s[o] unscaled.
struct Gather {
  const float *scale, *pattern, *dweight;
  int64_t first, taps, all_taps, columns;
  float *unscaled, *gradient;
  OREPA_HD void operator()(int64_t o, int64_t i) const {
    float sum = 0;
    for (int64_t h = 0; h < taps; ++h) {
      const int64_t tap = o * all_taps + first + h;
      sum += pattern[tap] * dweight[tap * columns + i];
    }
    unscaled[o * columns + i] = sum;
    if (gradient != nullptr) gradient[o * columns + i] = scale[o] * sum;
  }
};

}  // namespace

void PointwiseBranch::setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
                            const std::string& prefix) {
  geometry_ = geometry;
  first_tap_ = centre_only() ? geometry.taps() / 2 : 0;
  taps_ = centre_only() ? 1 : geometry.taps();
  host_pattern_ = pattern(geometry);
  const Shape shape{geometry.outputs, geometry.inputs_per_group(), 1, 1};
  kernel_ = setup.factor(prefix + "weight", shape, spec.filler);
  scale_ = declare_scale(setup, geometry, spec, prefix);
  pattern_ = setup.persistent(geometry.outputs * geometry.taps() * int64_t{sizeof(float)});
  unscaled_ = setup.scratch(Stage::kFinish, shape.bytes());
}

const float* PointwiseBranch::pattern(Pass& pass) {
  if (!host_pattern_.empty()) {
    pass.device().copy_to_device(pass.memory(pattern_), host_pattern_.data(),
                                 static_cast<int64_t>(host_pattern_.size() * sizeof(float)));
    pass.device().synchronize();
    host_pattern_.clear();
  }
  return pass.floats(pattern_);
}

void PointwiseBranch::prepare(Pass& pass, float* weight, bool accumulate) {
  const int64_t columns = geometry_.inputs_per_group();
  if (!accumulate) pass.device().zero(weight, geometry_.shape().bytes());
  parallel_rows(pass.device(), geometry_.outputs * taps_, columns,
                Spread{pass.parameter(scale_).data, pass.parameter(kernel_).data, pattern(pass),
                       first_tap_, taps_, geometry_.taps(), columns, weight});
}

void PointwiseBranch::finish(Pass& pass, const float* dweight) {
  const int64_t columns = geometry_.inputs_per_group();
  float* unscaled = pass.floats(unscaled_);
  parallel_rows(pass.device(), geometry_.outputs, columns,
                Gather{pass.parameter(scale_).data, pattern(pass), dweight, first_tap_, taps_,
                       geometry_.taps(), columns, unscaled, pass.gradient(kernel_).data});
  if (const Tensor dscale = pass.gradient(scale_))
    reduce_rows(pass.device(), geometry_.outputs, columns,
                RowDot{unscaled, pass.parameter(kernel_).data, columns}, dscale.data);
}

}  // namespace orepa
