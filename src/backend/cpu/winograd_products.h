// The products of Winograd's convolution: several matrices at once, in float32 (dnnl_sgemm) or of
// bfloat16 with sums in float32 (oneDNN's matmul). Only src/backend/cpu includes this.
#pragma once
#include "backend/cpu/onednn.h"
#include "orepa/error.h"
#include "orepa/numbers.h"

namespace orepa::cpu::winograd {

// C = op(A) B, or C += op(A) B where `accumulate`, for `count` matrices: row-major, op(A) is m x k,
// stored k x m where `transpose`; their rows lie ld numbers apart, the matrices a stride.
struct Product {
  bool transpose, accumulate;
  int64_t m, n, k;
  int64_t lda, ldb, ldc;
  int64_t count = 1, stride_a = 0, stride_b = 0, stride_c = 0;
};

inline void require_products(int failures) {
  require(failures == 0, "a product of Winograd's convolution was refused by oneDNN");
}

// Multiplies on the calling thread alone, if that is inside of a parallel region. Returns the
// number of failures, which is 0: exceptions cannot leave such a region.
template <class Element>
class Multiplier;

template <>
class Multiplier<float> {
 public:
  explicit Multiplier(const OneDnn&) {}
  int run(const Product& product, const float* a, const float* b, float* c) const;
};

template <>
class Multiplier<BFloat16> {
 public:
  explicit Multiplier(const OneDnn& onednn);
  int run(const Product& product, const BFloat16* a, const BFloat16* b, float* c) const;

 private:
  dnnl::engine engine_;
  dnnl::matmul matmul_[2][2];  // by transpose and accumulate, for matrices of any size
};

}  // namespace orepa::cpu::winograd
