#include "backend/cpu/gemm.h"

#include <dnnl.h>

#include <algorithm>
#include <atomic>

#include "backend/cpu/instruction_set.h"
#include "backend/cpu/onednn.h"

namespace orepa::cpu {
namespace {

// A layer of a batch of few rows, y = x W^T, is a walk over W. oneDNN's AVX-512 kernel for that
// takes no more than 8 rows; what it does with more takes twice as long for 16 of them, and is
// level at about 48. So x is taken 8 rows at a time, with as much of W as stays in the second-level
// cache until the last of them (docs/performance.md, "Products of few rows").
constexpr int64_t kRows = 8, kFewRows = 48;
constexpr int64_t kCached = 65536;  // numbers of W, 256 KiB

bool has_few_rows(const Gemm& g) {
  return !g.transpose_a && g.transpose_b && g.m <= kFewRows &&
         instruction_set() == InstructionSet::kAvx512;
}

dnnl_status_t multiply(const Gemm& g) {
  return dnnl_sgemm(g.transpose_a ? 'T' : 'N', g.transpose_b ? 'T' : 'N', g.m, g.n, g.k, g.alpha,
                    g.a, g.lda, g.b, g.ldb, g.beta, g.c, g.ldc);
}

dnnl_status_t multiply_few_rows(const Gemm& g) {
  const int64_t columns = std::max(kRows, kCached / std::max<int64_t>(g.k, 1) / kRows * kRows);
  const int64_t blocks = (g.n + columns - 1) / columns;
  std::atomic<dnnl_status_t> status = dnnl_success;
#pragma omp parallel for schedule(static) if (blocks > 1)
  for (int64_t block = 0; block < blocks; ++block) {
    Gemm piece = g;
    const int64_t column = block * columns;
    piece.n = std::min(columns, g.n - column);
    piece.b = g.b + column * g.ldb;
    for (int64_t row = 0; row < g.m; row += kRows) {
      piece.m = std::min(kRows, g.m - row);
      piece.a = g.a + row * g.lda;
      piece.c = g.c + row * g.ldc + column;
      if (const dnnl_status_t failure = multiply(piece); failure != dnnl_success) status = failure;
    }
  }
  return status;
}

}  // namespace

void gemm(const Gemm& g) {
  for (const int64_t extent : {g.m, g.n, g.k}) require_countable("a matrix with an extent", extent);
  Gemm one = g;
  for (int64_t i = 0; i < g.batch; ++i) {
    one.a = g.a + i * g.stride_a;
    one.b = g.b + i * g.stride_b;
    one.c = g.c + i * g.stride_c;
    const dnnl_status_t status = has_few_rows(g) ? multiply_few_rows(one) : multiply(one);
    require(status == dnnl_success, "gemm of ", g.m, " x ", g.n, " x ", g.k,
            " was refused by oneDNN, status ", static_cast<int>(status));
  }
}

}  // namespace orepa::cpu
