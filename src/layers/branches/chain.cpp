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
// group: every 3 x 3 kernel widens the composed one by 2. With y' = y + p - 2 every (p, q, y') is
// one gemm over m, on K_n taps of a row at once.
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
    dkernel_ = setup.scratch(Stage::kFinish, links_.back().shape().bytes());
    dcomposed_[0] = setup.scratch(Stage::kFinish, composed_bytes(links_.size() - 1));
    dcomposed_[1] = setup.scratch(Stage::kFinish, composed_bytes(links_.size() - 1));
  }

  void begin(Pass& pass, Stage stage) override {
    if (stage != Stage::kPrepare) return;
    for (size_t n = 0; n < links_.size(); ++n) {
      links_[n].prepare(pass, pass.floats(kernels_[n]));
      if (n == 0) continue;
      float* to = pass.floats(composed_[n]);
      pass.device().zero(to, composed_bytes(n));
      for_each_tap(n, [&](int64_t tap, int64_t inner, int64_t outer) {
        Gemm gemm{false, false, group(), run(n), group()};
        gemm.a = pass.floats(kernels_[n]) + tap, gemm.lda = 9 * group();
        gemm.b = pass.floats(composed_[n - 1]) + inner, gemm.ldb = row(n - 1);
        gemm.c = to + outer, gemm.ldc = row(n);
        gemm.beta = 1;
        gemm.batch = geometry_.groups;
        gemm.stride_a = kernel_stride(), gemm.stride_b = stride(n - 1), gemm.stride_c = stride(n);
        pass.device().gemm(gemm);
      });
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
      pass.device().zero(dkernel, links_[n].shape().bytes());
      pass.device().zero(dprevious, composed_bytes(n - 1));
      for_each_tap(n, [&](int64_t tap, int64_t inner, int64_t outer) {
        const float* dw = dcomposed + outer;
        Gemm to_kernel{false, true, group(), group(), run(n)};
        to_kernel.a = dw, to_kernel.lda = row(n);
        to_kernel.b = pass.floats(composed_[n - 1]) + inner, to_kernel.ldb = row(n - 1);
        to_kernel.c = dkernel + tap, to_kernel.ldc = 9 * group();
        to_kernel.beta = 1;
        to_kernel.batch = geometry_.groups;
        to_kernel.stride_a = stride(n), to_kernel.stride_b = stride(n - 1);
        to_kernel.stride_c = kernel_stride();
        pass.device().gemm(to_kernel);
        Gemm to_previous{true, false, group(), run(n), group()};
        to_previous.a = pass.floats(kernels_[n]) + tap, to_previous.lda = 9 * group();
        to_previous.b = dw, to_previous.ldb = row(n);
        to_previous.c = dprevious + inner, to_previous.ldc = row(n - 1);
        to_previous.beta = 1;
        to_previous.batch = geometry_.groups;
        to_previous.stride_a = kernel_stride(), to_previous.stride_b = stride(n);
        to_previous.stride_c = stride(n - 1);
        pass.device().gemm(to_previous);
      });
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
  int64_t run(size_t n) const { return size(n - 1) * channels(); }        // numbers of a row y'
  int64_t composed_bytes(size_t n) const {
    return geometry_.outputs * row(n) * int64_t{sizeof(float)};
  }
  // From one group to the next: in W_n, and in V, which is stored o, (p, q), m.
  int64_t stride(size_t n) const { return group() * row(n); }
  int64_t kernel_stride() const { return group() * 9 * group(); }

  // visit(offset of the tap in V[o], of row y' in W_{n-1}[m], of its place in W_n[o])
  template <class Visit>
  void for_each_tap(size_t n, Visit visit) const {
    const int64_t inner_size = size(n - 1), outer_size = size(n);
    for (int64_t p = 0; p < 3; ++p)
      for (int64_t q = 0; q < 3; ++q)
        for (int64_t y = 0; y < inner_size; ++y)
          visit((p * 3 + q) * group(), y * inner_size * channels(),
                ((y + 2 - p) * outer_size + 2 - q) * channels());
  }

  KernelGeometry geometry_;
  std::vector<ChainLink> links_;
  std::vector<Handle> kernels_, composed_;  // V_n and W_n, from prepare() to finish()
  Handle dkernel_ = -1, dcomposed_[2] = {-1, -1};
};

OREPA_BRANCH(Chain, "chain", "3x3 kernels one after another, composed into one large kernel");

}  // namespace
}  // namespace orepa
