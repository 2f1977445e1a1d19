#include "layers/branches/output_blocks.h"
#include "layers/branches/scaled.h"

namespace orepa {
namespace {

// Loops run over i side by side. So there are scratch copies of a block's Q as (o, t, i) and of D
// as (g, h, t, i), and a functor's row is all the rest of an index. o and g count from the block's
// first.
struct Extents {
  int64_t taps, channels, outputs_per_group, expansion;
};

// Row o: the copy of Q from Q[o, i r + t], or gradients in the order of the copy to that of Q. r is
// a constant where it is what presets have, so that all t of an i are moved at once.
template <class Expansion>
struct SpreadPointwise {
  int64_t channels;
  Expansion expansion;
  const float* from;
  float* to;
  OREPA_HD void operator()(int64_t o, int64_t i) const {
    for (int64_t t = 0; t < expansion; ++t)
      to[(o * expansion + t) * channels + i] = from[(o * channels + i) * expansion + t];
  }
};
template <class Expansion>
struct GatherPointwise {
  int64_t channels;
  Expansion expansion;
  const float* from;
  float* to;
  OREPA_HD void operator()(int64_t o, int64_t i) const {
    for (int64_t t = 0; t < expansion; ++t)
      to[(o * channels + i) * expansion + t] = from[(o * expansion + t) * channels + i];
  }
};
struct Published {
  OREPA_HD operator int64_t() const { return 8; }
};
template <template <class> class F>
void reorder(const Device& device, int64_t outputs, const Extents& at, const float* from,
             float* to) {
  if (at.expansion == Published())
    parallel_rows(device, outputs, at.channels, F<Published>{at.channels, {}, from, to});
  else
    parallel_rows(device, outputs, at.channels, F<int64_t>{at.channels, at.expansion, from, to});
}

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

// Row (o, t): u = sum_h dW[o,h,i] D[g,h,t,i] gives dQ = s[o] u, which takes the place of Q, and
// terms u Q of ds[o].
struct PointwiseGradient {
  Extents at;
  const float *scale, *depthwise, *dweight;
  float* pointwise;
  OREPA_HD int64_t terms(int64_t) const { return at.taps; }
  OREPA_HD float term(int64_t r, int64_t h, int64_t i) const {
    const int64_t o = r / at.expansion, t = r % at.expansion, g = o / at.outputs_per_group;
    return dweight[(o * at.taps + h) * at.channels + i] *
           depthwise[((g * at.taps + h) * at.expansion + t) * at.channels + i];
  }
  OREPA_HD float result(int64_t r, int64_t i, float u) const {
    float& q = pointwise[r * at.channels + i];
    const float term = u * q;
    q = scale[r / at.expansion] * u;
    return term;
  }
};

// ds[o] from what the rows (o, t) gave.
struct SumOverExpansion {
  const float* terms;
  int64_t expansion;
  OREPA_HD float operator()(int64_t o, int64_t t) const { return terms[o * expansion + t]; }
};

// Row (g, h, t): the sum over the block's outputs o in group g of s[o] Q[o,t,i] dW[o,h,i].
struct DepthwiseGradient {
  Extents at;
  int64_t outputs;  // of the block in a group
  const float *scale, *pointwise, *dweight;
  float* sums;
  OREPA_HD int64_t terms(int64_t) const { return outputs; }
  OREPA_HD float term(int64_t r, int64_t n, int64_t i) const {
    const int64_t t = r % at.expansion, gh = r / at.expansion, h = gh % at.taps;
    const int64_t o = gh / at.taps * outputs + n;
    return scale[o] * pointwise[(o * at.expansion + t) * at.channels + i] *
           dweight[(o * at.taps + h) * at.channels + i];
  }
  OREPA_HD void result(int64_t r, int64_t i, float sum) const { sums[r * at.channels + i] = sum; }
};

// dD[(g Cg + i) r + t, h] = the sum over the parts of a group, from row (g, h, t).
struct DeliverDepthwise {
  Extents at;
  const float* sums;
  int64_t parts, part_size;
  float* gradient;
  OREPA_HD int64_t terms(int64_t) const { return parts; }
  OREPA_HD float term(int64_t r, int64_t p, int64_t i) const {
    return sums[p * part_size + r * at.channels + i];
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
    blocks_ = OutputBlocks(setup.device(), geometry);
    for (const Stage stage : {Stage::kPrepare, Stage::kFinish}) {
      Copies& copies = copies_[stage == Stage::kFinish];
      copies.depthwise = setup.scratch(stage, d.bytes());
      copies.pointwise = blocks_.scratch(setup, stage, at_.expansion * at_.channels);
    }
    terms_ = blocks_.scratch(setup, Stage::kFinish, at_.expansion);
    sums_ = setup.scratch(Stage::kFinish, blocks_.parts() * d.bytes());
  }

  void begin(Pass& pass, Stage stage) override {
    parallel_rows(pass.device(), rows(geometry_.groups), at_.channels,
                  SpreadDepthwise{at_, pass.parameter(depthwise_).floats(),
                                  pass.floats(copies_[stage == Stage::kFinish].depthwise)});
  }

  void compose(Pass& pass, const OutputBlock& block, float* weight, bool accumulate) override {
    const int64_t rows = block.count * at_.taps;
    if (!accumulate) pass.device().zero(weight, rows * at_.channels * int64_t{sizeof(float)});
    contract_rows(pass.device(), rows, at_.channels,
                  Compose{at_, scale_.values(pass, block), spread(pass, block, Stage::kPrepare),
                          depthwise(pass, block, Stage::kPrepare), weight});
  }

  void differentiate(Pass& pass, const OutputBlock& block, const float* dweight) override {
    Device& device = pass.device();
    const float* s = scale_.values(pass, block);
    float* q = spread(pass, block, Stage::kFinish);
    if (pass.gradient(depthwise_)) {
      float* sums = pass.floats(sums_) +
                    (block.part * rows(geometry_.groups) + rows(block.group)) * at_.channels;
      contract_rows(device, rows(block.groups), at_.channels,
                    DepthwiseGradient{at_, block.count / block.groups, s, q, dweight, sums});
    }
    float* terms = blocks_.scratch(pass, terms_, block, at_.expansion);
    contract_rows(device, block.count * at_.expansion, at_.channels,
                  PointwiseGradient{at_, s, depthwise(pass, block, Stage::kFinish), dweight, q},
                  terms);
    reduce_rows(device, block.count, at_.expansion, SumOverExpansion{terms, at_.expansion},
                scale_.gradient(pass, block));
    if (const Tensor dq = pass.gradient(pointwise_))
      reorder<GatherPointwise>(device, block.count, at_, q,
                               block.of(dq.floats(), at_.expansion * at_.channels));
  }

  void end(Pass& pass, const float*) override {
    if (const Tensor dd = pass.gradient(depthwise_))
      contract_rows(pass.device(), rows(geometry_.groups), at_.channels,
                    DeliverDepthwise{at_, pass.floats(sums_), blocks_.parts(),
                                     rows(geometry_.groups) * at_.channels, dd.floats()});
  }

 private:
  struct Copies {
    Handle pointwise = -1, depthwise = -1;
  };

  // (g, h, t) of so many groups.
  int64_t rows(int64_t groups) const { return groups * at_.taps * at_.expansion; }
  const float* depthwise(Pass& pass, const OutputBlock& block, Stage stage) const {
    return pass.floats(copies_[stage == Stage::kFinish].depthwise) +
           rows(block.group) * at_.channels;
  }
  float* spread(Pass& pass, const OutputBlock& block, Stage stage) const {
    const int64_t each = at_.expansion * at_.channels;
    float* q = blocks_.scratch(pass, copies_[stage == Stage::kFinish].pointwise, block, each);
    reorder<SpreadPointwise>(pass.device(), block.count, at_,
                             block.of(pass.parameter(pointwise_).floats(), each), q);
    return q;
  }

  KernelGeometry geometry_;
  Extents at_{};
  OutputBlocks blocks_;
  Handle depthwise_ = -1, pointwise_ = -1, terms_ = -1, sums_ = -1;
  Copies copies_[2];  // of prepare, of finish
  Scaling scale_;
};

OREPA_BRANCH(
    DepthwisePointwise, "dw_pw",
    "linear depthwise, then pointwise, expanded r times: s[o] sum_t Q[o,ir+t] D[ir+t,h,w]");

}  // namespace
}  // namespace orepa
