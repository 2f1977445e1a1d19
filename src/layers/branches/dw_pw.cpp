#include "layers/branches/scaled.h"

namespace orepa {
namespace {

constexpr int64_t kPublished = 8;  // the expansion that gets loops of known length

// `to` (outer, t, i) from `from` (outer, i, t): channels side by side, so that loops over i
// vectorise.
struct SpreadOut {
  const float* from;
  int64_t channels, expansion, step;  // step: distance of consecutive (i, t) in `from`
  int64_t outer_step;
  float* to;
  OREPA_HD void operator()(int64_t r, int64_t i) const {
    const int64_t outer = r / expansion, t = r % expansion;
    to[r * channels + i] = from[outer * outer_step + (i * expansion + t) * step];
  }
};

// Row (o, h): W[o,h,i] += s[o] sum_t Q[o,t,i] D[g,h,t,i].
template <int64_t R>
struct Compose {
  const float *scale, *pointwise, *depthwise;
  int64_t taps, channels, outputs_per_group, expansion;
  float* weight;
  OREPA_HD void operator()(int64_t r, int64_t i) const {
    const int64_t o = r / taps, h = r % taps, count = R > 0 ? R : expansion;
    const float* q = pointwise + o * count * channels + i;
    const float* d = depthwise + (o / outputs_per_group * taps + h) * count * channels + i;
    float sum = 0;
    for (int64_t t = 0; t < (R > 0 ? R : expansion); ++t) sum += q[t * channels] * d[t * channels];
    weight[r * channels + i] += scale[o] * sum;
  }
};

// Row (o, t): unscaled[o,t,i] = sum_h dW[o,h,i] D[g,h,t,i].
struct PointwiseGradient {
  const float *dweight, *depthwise;
  int64_t taps, channels, outputs_per_group, expansion;
  float* unscaled;
  OREPA_HD void operator()(int64_t r, int64_t i) const {
    const int64_t o = r / expansion, t = r % expansion, g = o / outputs_per_group;
    const float* dw = dweight + o * taps * channels + i;
    const float* d = depthwise + (g * taps * expansion + t) * channels + i;
    float sum = 0;
    for (int64_t h = 0; h < taps; ++h) sum += dw[h * channels] * d[h * expansion * channels];
    unscaled[r * channels + i] = sum;
  }
};

// dQ[o,i,t] = s[o] unscaled[o,t,i]
struct DeliverPointwise {
  const float *scale, *unscaled;
  int64_t channels, expansion;
  float* gradient;
  OREPA_HD void operator()(int64_t o, int64_t j) const {
    const int64_t i = j / expansion, t = j % expansion;
    gradient[o * channels * expansion + j] =
        scale[o] * unscaled[(o * expansion + t) * channels + i];
  }
};

// Row o of group g, block (h, t), column i: s[o] Q[o,t,i] dW[o,h,i], summed over o for dD.
struct DepthwiseTerm {
  const float *scale, *pointwise, *dweight;
  int64_t first_output, taps, channels, expansion;
  OREPA_HD float operator()(int64_t r, int64_t b, int64_t i) const {
    const int64_t o = first_output + r, h = b / expansion, t = b % expansion;
    return scale[o] * pointwise[(o * expansion + t) * channels + i] *
           dweight[(o * taps + h) * channels + i];
  }
};

// dD[(i r + t), h] from sums (h, t, i).
struct DeliverDepthwise {
  const float* sums;
  int64_t taps, channels, expansion;
  float* gradient;
  OREPA_HD void operator()(int64_t c, int64_t h) const {
    const int64_t i = c / expansion, t = c % expansion;
    gradient[c * taps + h] = sums[(h * expansion + t) * channels + i];
  }
};

// s[o] sum_{t<r} Q[o, i r + t] D[(g Cg + i) r + t, h, w]
class DepthwisePointwise : public WeightBranch {
 public:
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
             const std::string& prefix) override {
    geometry_ = geometry;
    r_ = spec.expansion;
    setup.require(r_ > 0, "branch \"", spec.name, "\": expansion must be positive, got ", r_);
    const Shape d{geometry.inputs * r_, 1, geometry.size, geometry.size};
    const Shape q{geometry.outputs, geometry.inputs_per_group() * r_, 1, 1};
    depthwise_ = setup.factor(prefix + "depthwise", d, spec.filler);
    pointwise_ = setup.factor(prefix + "pointwise", q, spec.filler);
    scale_ = declare_scale(setup, geometry, spec, prefix);
    for (const Stage stage : {Stage::kPrepare, Stage::kFinish}) {
      const int s = stage == Stage::kFinish;
      spread_depthwise_[s] = setup.scratch(stage, d.bytes());
      spread_pointwise_[s] = setup.scratch(stage, q.bytes());
    }
    unscaled_ = setup.scratch(Stage::kFinish, q.bytes());
    sums_ = setup.scratch(Stage::kFinish, d.bytes() / geometry.groups);
  }

  void prepare(Pass& pass, float* weight, bool accumulate) override {
    if (!accumulate) pass.device().zero(weight, geometry_.shape().bytes());
    const float *d = spread_depthwise(pass, 0), *q = spread_pointwise(pass, 0);
    const float* s = pass.parameter(scale_).data;
    const int64_t rows = geometry_.outputs * taps();
    if (r_ == kPublished)
      parallel_rows(pass.device(), rows, channels(),
                    Compose<kPublished>{s, q, d, taps(), channels(), group_outputs(), r_, weight});
    else
      parallel_rows(pass.device(), rows, channels(),
                    Compose<0>{s, q, d, taps(), channels(), group_outputs(), r_, weight});
  }

  void finish(Pass& pass, const float* dweight) override {
    Device& device = pass.device();
    const float *s = pass.parameter(scale_).data, *q = spread_pointwise(pass, 1);
    const Tensor dq = pass.gradient(pointwise_), ds = pass.gradient(scale_);
    if (dq || ds) {
      float* unscaled = pass.floats(unscaled_);
      parallel_rows(device, geometry_.outputs * r_, channels(),
                    PointwiseGradient{dweight, spread_depthwise(pass, 1), taps(), channels(),
                                      group_outputs(), r_, unscaled});
      const int64_t each = r_ * channels();
      if (ds) reduce_rows(device, geometry_.outputs, each, RowDot{unscaled, q, each}, ds.data);
      if (dq)
        parallel_rows(device, geometry_.outputs, each,
                      DeliverPointwise{s, unscaled, channels(), r_, dq.data});
    }
    if (const Tensor dd = pass.gradient(depthwise_)) {
      float* sums = pass.floats(sums_);
      for (int64_t g = 0; g < geometry_.groups; ++g) {
        reduce_columns(device, group_outputs(), taps() * r_, channels(),
                       DepthwiseTerm{s, q, dweight, g * group_outputs(), taps(), channels(), r_},
                       sums, false);
        parallel_rows(
            device, channels() * r_, taps(),
            DeliverDepthwise{sums, taps(), channels(), r_, dd.data + g * channels() * r_ * taps()});
      }
    }
  }

 private:
  int64_t taps() const { return geometry_.taps(); }
  int64_t channels() const { return geometry_.inputs_per_group(); }
  int64_t group_outputs() const { return geometry_.outputs_per_group(); }

  // (g, h, t, i) from (g, i, t, h), a group and a tap at a time.
  const float* spread_depthwise(Pass& pass, int stage) {
    const float* d = pass.parameter(depthwise_).data;
    float* spread = pass.floats(spread_depthwise_[stage]);
    for (int64_t gh = 0; gh < geometry_.groups * taps(); ++gh) {
      const int64_t g = gh / taps(), h = gh % taps();
      parallel_rows(pass.device(), r_, channels(),
                    SpreadOut{d + g * channels() * r_ * taps() + h, channels(), r_, taps(), 0,
                              spread + gh * r_ * channels()});
    }
    return spread;
  }
  // (o, t, i) from (o, i, t).
  const float* spread_pointwise(Pass& pass, int stage) {
    float* spread = pass.floats(spread_pointwise_[stage]);
    parallel_rows(
        pass.device(), geometry_.outputs * r_, channels(),
        SpreadOut{pass.parameter(pointwise_).data, channels(), r_, 1, channels() * r_, spread});
    return spread;
  }

  KernelGeometry geometry_;
  int64_t r_ = 0;
  Handle depthwise_ = -1, pointwise_ = -1, scale_ = -1, unscaled_ = -1, sums_ = -1;
  Handle spread_depthwise_[2] = {-1, -1}, spread_pointwise_[2] = {-1, -1};  // prepare, finish
};

OREPA_BRANCH(
    DepthwisePointwise, "dw_pw",
    "linear depthwise, then pointwise, expanded r times: s[o] sum_t Q[o,ir+t] D[ir+t,h,w]");

}  // namespace
}  // namespace orepa
