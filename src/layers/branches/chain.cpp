#include "layers/arithmetic.h"
#include "layers/branches/sum.h"

namespace orepa {
namespace {

// One kernel of a chain: the sum of its branches, or a plain weight where there are none.
class ChainLink {
 public:
  void setup(Setup& setup, const KernelGeometry& geometry, const std::vector<BranchSpec>& branches,
             const Filler& filler, const std::string& prefix) {
    shape_ = geometry.shape();
    if (branches.empty()) plain_ = setup.factor(prefix + "weight", shape_, filler);
    sum_.setup(setup, geometry, branches, prefix);
  }
  void prepare(Pass& pass, float* kernel) {
    if (plain_ >= 0)
      pass.device().copy(kernel, pass.parameter(plain_).floats(), shape_.bytes());
    else
      sum_.prepare(pass, kernel);
  }
  void finish(Pass& pass, const float* dkernel) {
    if (plain_ < 0) return sum_.finish(pass, dkernel);
    if (const Tensor gradient = pass.gradient(plain_))
      pass.device().copy(gradient.floats(), dkernel, shape_.bytes());
  }
  const Shape& shape() const { return shape_; }

 private:
  Shape shape_;
  Handle plain_ = -1;
  BranchSum sum_;
};

// W_1 = V_1, W_{n+1}[o,i,y,x] = sum_m sum_{p,q} W_n[m,i,y+p-2,x+q-2] V_{n+1}[o,m,p,q], m inside o's
// group: every 3 x 3 kernel widens the composed one by 2. That is one gemm over m,
// S[o,p,q,y',x',i] = sum_m V_{n+1}[o,p,q,m] W_n[m,y',x',i], and a sum of what of S belongs to each
// place of W_{n+1}.
struct Places {
  int64_t channels, inner;  // inner: the size of W_n
  OREPA_HD int64_t outer() const { return inner + 2; }
};

// Row (o, y), column (x, i) of W_{n+1} is the sum over the taps (p, q) where S has its place.
struct GatherTaps {
  Places at;
  const float* spread;
  float* composed;
  OREPA_HD int64_t terms(int64_t) const { return 9; }
  OREPA_HD float term(int64_t r, int64_t tap, int64_t j) const {
    const int64_t o = r / at.outer(), y = r % at.outer() + tap / 3 - 2,
                  row = at.inner * at.channels;
    const int64_t place = j + (tap % 3 - 2) * at.channels;
    if (y < 0 || y >= at.inner || place < 0 || place >= row) return 0;
    return spread[((o * 9 + tap) * at.inner + y) * row + place];
  }
  OREPA_HD void result(int64_t r, int64_t j, float sum) const {
    composed[r * at.outer() * at.channels + j] = sum;
  }
};

// And back: row (o, p, q, y'), column (x', i) of dS.
struct SpreadTaps {
  Places at;
  const float* dcomposed;
  float* spread;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t o = r / at.inner / 9, tap = r / at.inner % 9, y = r % at.inner + 2 - tap / 3;
    const int64_t place = j + (2 - tap % 3) * at.channels;
    spread[r * at.inner * at.channels + j] =
        dcomposed[(o * at.outer() + y) * at.outer() * at.channels + place];
  }
};

class Chain : public WeightBranch {
 public:
  void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
             const std::string& prefix) override {
    geometry_ = geometry;
    const int64_t wanted = (geometry.size - 1) / 2;
    setup.require(geometry.size >= 5, "a chain needs kernel_size 5 or more, got ", geometry.size);
    setup.require(static_cast<int64_t>(spec.chain.size()) == wanted, "a chain for kernel_size ",
                  geometry.size, " needs ", wanted, " kernels of 3 x 3, got ", spec.chain.size());
    links_.resize(spec.chain.size());
    for (size_t n = 0; n < links_.size(); ++n) {
      const int64_t inputs = n == 0 ? geometry.inputs : geometry.outputs;
      links_[n].setup(setup, {geometry.outputs, inputs, geometry.groups, 3}, spec.chain[n],
                      spec.filler, text(prefix, n, "."));
      kernels_.push_back(setup.persistent(links_[n].shape().bytes()));
      composed_.push_back(n == 0 ? kernels_[0] : setup.persistent(composed_bytes(n)));
    }
    const int64_t spread_bytes = 9 * composed_bytes(links_.size() - 2);
    for (const Stage stage : {Stage::kPrepare, Stage::kFinish})
      spread_[stage == Stage::kFinish] = setup.scratch(stage, spread_bytes);
    dkernel_ = setup.scratch(Stage::kFinish, links_.back().shape().bytes());
    dcomposed_[0] = setup.scratch(Stage::kFinish, composed_bytes(links_.size() - 1));
    dcomposed_[1] = setup.scratch(Stage::kFinish, composed_bytes(links_.size() - 1));
  }

  void begin(Pass& pass, Stage stage) override {
    if (stage != Stage::kPrepare) return;
    for (size_t n = 0; n < links_.size(); ++n) {
      links_[n].prepare(pass, pass.floats(kernels_[n]));
      if (n == 0) continue;
      float* spread = pass.floats(spread_[0]);
      Gemm gemm{false, false, 9 * group(), row(n - 1), group()};
      gemm.a = pass.floats(kernels_[n]), gemm.lda = group(), gemm.stride_a = kernel_stride();
      gemm.b = pass.floats(composed_[n - 1]), gemm.ldb = row(n - 1), gemm.stride_b = stride(n - 1);
      gemm.c = spread, gemm.ldc = row(n - 1), gemm.stride_c = 9 * stride(n - 1);
      gemm.batch = geometry_.groups;
      pass.device().gemm(gemm);
      contract_rows(pass.device(), geometry_.outputs * size(n), size(n) * channels(),
                    GatherTaps{places(n), spread, pass.floats(composed_[n])});
    }
  }

  void compose(Pass& pass, const OutputBlock& block, float* weight, bool accumulate) override {
    const int64_t each = row(links_.size() - 1), count = block.count * each;
    const float* composed = block.of(pass.floats(composed_.back()), each);
    if (accumulate)
      parallel_for(pass.device(), count, AddTo{composed, weight});
    else
      pass.device().copy(weight, composed, count * int64_t{sizeof(float)});
  }

  // No kernel of a chain belongs to a block's outputs alone.
  void differentiate(Pass&, const OutputBlock&, const float*) override {}

  void end(Pass& pass, const float* dweight) override {
    const float* dcomposed = dweight;
    for (size_t n = links_.size() - 1; n > 0; --n) {
      float *dkernel = pass.floats(dkernel_), *dprevious = pass.floats(dcomposed_[n % 2]);
      float* spread = pass.floats(spread_[1]);
      parallel_rows(pass.device(), geometry_.outputs * 9 * size(n - 1), size(n - 1) * channels(),
                    SpreadTaps{places(n), dcomposed, spread});
      Gemm to_kernel{false, true, 9 * group(), group(), row(n - 1)};
      to_kernel.a = spread, to_kernel.lda = row(n - 1), to_kernel.stride_a = 9 * stride(n - 1);
      to_kernel.b = pass.floats(composed_[n - 1]), to_kernel.ldb = row(n - 1);
      to_kernel.stride_b = stride(n - 1);
      to_kernel.c = dkernel, to_kernel.ldc = group(), to_kernel.stride_c = kernel_stride();
      to_kernel.batch = geometry_.groups;
      pass.device().gemm(to_kernel);
      Gemm to_previous{true, false, group(), row(n - 1), 9 * group()};
      to_previous.a = pass.floats(kernels_[n]), to_previous.lda = group();
      to_previous.stride_a = kernel_stride();
      to_previous.b = spread, to_previous.ldb = row(n - 1),
      to_previous.stride_b = 9 * stride(n - 1);
      to_previous.c = dprevious, to_previous.ldc = row(n - 1), to_previous.stride_c = stride(n - 1);
      to_previous.batch = geometry_.groups;
      pass.device().gemm(to_previous);
      links_[n].finish(pass, dkernel);
      dcomposed = dprevious;
    }
    links_[0].finish(pass, dcomposed);
  }

 private:
  int64_t channels() const { return geometry_.inputs_per_group(); }
  int64_t group() const { return geometry_.outputs_per_group(); }  // also m's range
  static int64_t size(size_t n) { return 2 * static_cast<int64_t>(n) + 3; }
  int64_t row(size_t n) const { return size(n) * size(n) * channels(); }  // numbers of W_n[o]
  int64_t composed_bytes(size_t n) const {
    return geometry_.outputs * row(n) * int64_t{sizeof(float)};
  }
  // From one group to the next: in W_n, and in V, which is stored o, (p, q), m.
  int64_t stride(size_t n) const { return group() * row(n); }
  int64_t kernel_stride() const { return group() * 9 * group(); }
  Places places(size_t n) const { return {channels(), size(n - 1)}; }

  KernelGeometry geometry_;
  std::vector<ChainLink> links_;
  std::vector<Handle> kernels_, composed_;  // V_n and W_n, from prepare() to finish()
  Handle spread_[2] = {-1, -1};             // S: in prepare, in finish
  Handle dkernel_ = -1, dcomposed_[2] = {-1, -1};
};

OREPA_BRANCH(Chain, "chain", "3x3 kernels one after another, composed into one large kernel");

}  // namespace
}  // namespace orepa
