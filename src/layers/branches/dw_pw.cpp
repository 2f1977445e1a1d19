#include "layers/branches/scaled.h"

namespace orepa {
namespace {

constexpr int64_t kOutputsPerPiece = 16;  // for dD: what a CPU's second-level cache holds of them

// Loops run over i side by side. So there are scratch copies of Q as (o, t, i) and of D as
// (g, h, t, i), and a functor's row is all the rest of an index.
struct Extents {
  int64_t taps, channels, outputs_per_group, expansion;
};

// Row (o, t) of the copy of Q from Q[o, i r + t].
struct SpreadPointwise {
  Extents at;
  const float* from;
  float* to;
  OREPA_HD void operator()(int64_t r, int64_t i) const {
    const int64_t o = r / at.expansion, t = r % at.expansion;
    to[r * at.channels + i] = from[(o * at.channels + i) * at.expansion + t];
  }
};

// Row (g, h, t) of the copy of D from D[(g Cg + i) r + t, h].
struct SpreadDepthwise {
  Extents at;
  const float* from;
  float* to;
  OREPA_HD void operator()(int64_t r, int64_t i) const {
    const int64_t t = r % at.expansion, gh = r / at.expansion, g = gh / at.taps, h = gh % at.taps;
    to[r * at.channels + i] = from[((g * at.channels + i) * at.expansion + t) * at.taps + h];
  }
};

// Row (o, h): W[o,h,i] += s[o] sum_t Q[o,t,i] D[g,h,t,i].
struct Compose {
  Extents at;
  const float *scale, *pointwise, *depthwise;
  float* weight;
  OREPA_HD int64_t terms(int64_t) const { return at.expansion; }
  OREPA_HD float term(int64_t r, int64_t t, int64_t i) const {
    const int64_t o = r / at.taps, gh = o / at.outputs_per_group * at.taps + r % at.taps;
    return pointwise[(o * at.expansion + t) * at.channels + i] *
           depthwise[(gh * at.expansion + t) * at.channels + i];
  }
  OREPA_HD void result(int64_t r, int64_t i, float sum) const {
    weight[r * at.channels + i] += scale[r / at.taps] * sum;
  }
};

// Row (o, t): u = sum_h dW[o,h,i] D[g,h,t,i] gives dQ[o, i r + t] = s[o] u and terms u Q of ds[o].
struct PointwiseGradient {
  Extents at;
  const float *scale, *pointwise, *depthwise, *dweight;
  float* gradient;
  OREPA_HD int64_t terms(int64_t) const { return at.taps; }
  OREPA_HD float term(int64_t r, int64_t h, int64_t i) const {
    const int64_t o = r / at.expansion, t = r % at.expansion, g = o / at.outputs_per_group;
    return dweight[(o * at.taps + h) * at.channels + i] *
           depthwise[((g * at.taps + h) * at.expansion + t) * at.channels + i];
  }
  OREPA_HD float result(int64_t r, int64_t i, float u) const {
    const int64_t o = r / at.expansion, t = r % at.expansion;
    if (gradient != nullptr) gradient[(o * at.channels + i) * at.expansion + t] = scale[o] * u;
    return u * pointwise[r * at.channels + i];
  }
};

// ds[o] from what the rows (o, t) gave.
struct SumOverExpansion {
  const float* terms;
  int64_t expansion;
  OREPA_HD float operator()(int64_t o, int64_t t) const { return terms[o * expansion + t]; }
};

// Row (p, g, h, t): the sum over the outputs o of piece p of group g of s[o] Q[o,t,i] dW[o,h,i].
struct DepthwiseGradient {
  Extents at;
  const float *scale, *pointwise, *dweight;
  int64_t groups;
  float* sums;
  OREPA_HD int64_t first(int64_t r) const {  // of the piece, inside its group
    return r / (at.expansion * at.taps * groups) * kOutputsPerPiece;
  }
  OREPA_HD int64_t terms(int64_t r) const {
    const int64_t left = at.outputs_per_group - first(r);
    return left < kOutputsPerPiece ? left : kOutputsPerPiece;
  }
  OREPA_HD float term(int64_t r, int64_t n, int64_t i) const {
    const int64_t t = r % at.expansion, h = r / at.expansion % at.taps;
    const int64_t g = r / (at.expansion * at.taps) % groups;
    const int64_t o = g * at.outputs_per_group + first(r) + n;
    return scale[o] * pointwise[(o * at.expansion + t) * at.channels + i] *
           dweight[(o * at.taps + h) * at.channels + i];
  }
  OREPA_HD void result(int64_t r, int64_t i, float sum) const { sums[r * at.channels + i] = sum; }
};

// dD[(g Cg + i) r + t, h] = the sum over the pieces, from row (g, h, t).
struct DeliverDepthwise {
  Extents at;
  const float* sums;
  int64_t pieces, piece_size;
  float* gradient;
  OREPA_HD int64_t terms(int64_t) const { return pieces; }
  OREPA_HD float term(int64_t r, int64_t p, int64_t i) const {
    return sums[p * piece_size + r * at.channels + i];
  }
  OREPA_HD void result(int64_t r, int64_t i, float sum) const {
    const int64_t t = r % at.expansion, gh = r / at.expansion, g = gh / at.taps, h = gh % at.taps;
    gradient[((g * at.channels + i) * at.expansion + t) * at.taps + h] = sum;
  }
};

// s[o] sum_{t<r} Q[o, i r + t] D[(g Cg + i) r + t, h, w]
class DepthwisePointwise : public WeightBranch {
 public:
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
             const std::string& prefix) override {
    geometry_ = geometry;
    const int64_t r = spec.expansion;
    setup.require(r > 0, "branch \"", spec.name, "\": expansion must be positive, got ", r);
    at_ = {geometry.taps(), geometry.inputs_per_group(), geometry.outputs_per_group(), r};
    const Shape d{geometry.inputs * r, 1, geometry.size, geometry.size};
    const Shape q{geometry.outputs, at_.channels * r, 1, 1};
    depthwise_ = setup.factor(prefix + "depthwise", d, spec.filler);
    pointwise_ = setup.factor(prefix + "pointwise", q, spec.filler);
    scale_.setup(setup, geometry, spec, prefix);
    for (const Stage stage : {Stage::kPrepare, Stage::kFinish}) {
      Spread& spread = stage == Stage::kPrepare ? for_prepare_ : for_finish_;
      spread.depthwise = setup.scratch(stage, d.bytes());
      spread.pointwise = setup.scratch(stage, q.bytes());
    }
    terms_ = setup.scratch(Stage::kFinish, geometry.outputs * r * int64_t{sizeof(float)});
    sums_ = setup.scratch(Stage::kFinish, pieces() * d.bytes());
  }

  void prepare(Pass& pass, float* weight, bool accumulate) override {
    if (!accumulate) pass.device().zero(weight, geometry_.shape().bytes());
    const Copies copies = spread(pass, for_prepare_);
    contract_rows(pass.device(), geometry_.outputs * at_.taps, at_.channels,
                  Compose{at_, scale_.values(pass), copies.pointwise, copies.depthwise, weight});
  }

  void finish(Pass& pass, const float* dweight) override {
    Device& device = pass.device();
    const Copies copies = spread(pass, for_finish_);
    const float* s = scale_.values(pass);
    float* terms = pass.floats(terms_);
    contract_rows(device, geometry_.outputs * at_.expansion, at_.channels,
                  PointwiseGradient{at_, s, copies.pointwise, copies.depthwise, dweight,
                                    pass.gradient(pointwise_).floats()},
                  terms);
    reduce_rows(device, geometry_.outputs, at_.expansion, SumOverExpansion{terms, at_.expansion},
                scale_.gradient(pass));
    const Tensor dd = pass.gradient(depthwise_);
    if (!dd) return;
    float* sums = pass.floats(sums_);
    const int64_t rows = geometry_.groups * at_.taps * at_.expansion;
    contract_rows(device, pieces() * rows, at_.channels,
                  DepthwiseGradient{at_, s, copies.pointwise, dweight, geometry_.groups, sums});
    contract_rows(device, rows, at_.channels,
                  DeliverDepthwise{at_, sums, pieces(), rows * at_.channels, dd.floats()});
  }

 private:
  struct Spread {
    Handle pointwise = -1, depthwise = -1;
  };
  struct Copies {
    float *pointwise, *depthwise;
  };

  int64_t pieces() const {
    return (at_.outputs_per_group + kOutputsPerPiece - 1) / kOutputsPerPiece;
  }
  Copies spread(Pass& pass, const Spread& scratch) const {
    const Copies copies{pass.floats(scratch.pointwise), pass.floats(scratch.depthwise)};
    parallel_rows(pass.device(), geometry_.outputs * at_.expansion, at_.channels,
                  SpreadPointwise{at_, pass.parameter(pointwise_).floats(), copies.pointwise});
    parallel_rows(pass.device(), geometry_.groups * at_.taps * at_.expansion, at_.channels,
                  SpreadDepthwise{at_, pass.parameter(depthwise_).floats(), copies.depthwise});
    return copies;
  }

  KernelGeometry geometry_;
  Extents at_{};
  Handle depthwise_ = -1, pointwise_ = -1, terms_ = -1, sums_ = -1;
  Spread for_prepare_, for_finish_;
  Scaling scale_;
};

OREPA_BRANCH(
    DepthwisePointwise, "dw_pw",
    "linear depthwise, then pointwise, expanded r times: s[o] sum_t Q[o,ir+t] D[ir+t,h,w]");

}  // namespace
}  // namespace orepa
