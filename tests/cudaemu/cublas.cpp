// The part of cuBLAS that the CUDA backend uses, computed by oneDNN when the stream gets there. In
// float32 whatever the math mode, so TF32's rounding is not seen.
#include <cublas_v2.h>
#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <array>

#include "tests/cudaemu/emulation.h"
#include "tests/cudaemu/violation.h"

struct cublasContext {
  cudaStream_t stream = nullptr;
};

namespace cudaemu {
namespace {

// A matrix as cuBLAS has it: columns one behind the other, `leading` numbers apart.
struct Matrix {
  const float* data;
  int64_t rows, columns, leading;
  int64_t stride;  // from one to the next of a batch

  bool valid() const { return leading >= std::max<int64_t>(1, rows) && stride >= 0; }
  MemoryRange range(int64_t batch) const {
    if (rows == 0 || columns == 0) return {data, 0};
    const auto numbers = stride * (batch - 1) + leading * (columns - 1) + rows;
    return {data, static_cast<size_t>(numbers) * sizeof(float)};
  }
};

Matrix stored(cublasOperation_t operation, const float* data, int64_t rows, int64_t columns,
              int64_t leading, int64_t stride) {
  return operation == CUBLAS_OP_N ? Matrix{data, rows, columns, leading, stride}
                                  : Matrix{data, columns, rows, leading, stride};
}

void multiply(cublasOperation_t transpose_a, cublasOperation_t transpose_b, int64_t m, int64_t n,
              int64_t k, float alpha, const float* a, int64_t lda, const float* b, int64_t ldb,
              float beta, float* c, int64_t ldc) {
  // By rows, as oneDNN has them, each matrix is its transpose: C' = op(B)' op(A)'.
  const auto letter = [](cublasOperation_t operation) {
    return operation == CUBLAS_OP_N ? 'N' : 'T';
  };
  const dnnl_status_t status = dnnl_sgemm(letter(transpose_b), letter(transpose_a), n, m, k, alpha,
                                          b, ldb, a, lda, beta, c, ldc);
  if (status != dnnl_success) violation("dnnl_sgemm() failed with ", int{status});
}

// The product where k is 0, where oneDNN leaves C as it is.
void scale(float beta, float* c, const Matrix& of) {
  for (int64_t column = 0; column < of.columns; ++column)
    for (int64_t row = 0; row < of.rows; ++row) {
      float& value = c[column * of.leading + row];
      value = beta == 0 ? 0 : beta * value;
    }
}

}  // namespace
}  // namespace cudaemu

using namespace cudaemu;

extern "C" {

cublasStatus_t cublasCreate_v2(cublasHandle_t* handle) {
  *handle = new cublasContext;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasDestroy_v2(cublasHandle_t handle) {
  delete handle;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetStream_v2(cublasHandle_t handle, cudaStream_t stream) {
  handle->stream = stream;
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetWorkspace_v2(cublasHandle_t, void* workspace, size_t bytes) {
  if (reinterpret_cast<size_t>(workspace) % 256 != 0) return CUBLAS_STATUS_INVALID_VALUE;
  if (bytes > 0) require_device({workspace, bytes}, "cublasSetWorkspace");
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSetMathMode(cublasHandle_t, cublasMath_t) { return CUBLAS_STATUS_SUCCESS; }

cublasStatus_t cublasSgemmStridedBatched_64(cublasHandle_t handle, cublasOperation_t transpose_a,
                                            cublasOperation_t transpose_b, int64_t m, int64_t n,
                                            int64_t k, const float* alpha, const float* a,
                                            int64_t lda, long long stride_a, const float* b,
                                            int64_t ldb, long long stride_b, const float* beta,
                                            float* c, int64_t ldc, long long stride_c,
                                            int64_t batch) {
  if (m < 0 || n < 0 || k < 0 || batch < 0) return CUBLAS_STATUS_INVALID_VALUE;
  const Matrix left = stored(transpose_a, a, m, k, lda, stride_a),
               right = stored(transpose_b, b, k, n, ldb, stride_b), out{c, m, n, ldc, stride_c};
  if (!left.valid() || !right.valid() || !out.valid()) return CUBLAS_STATUS_INVALID_VALUE;
  if (m == 0 || n == 0 || batch == 0) return CUBLAS_STATUS_SUCCESS;
  std::vector<MemoryRange> memory{out.range(batch)};
  if (k > 0) memory.insert(memory.end(), {left.range(batch), right.range(batch)});
  enqueue(handle->stream, "cublasSgemm", memory, [=, alpha = *alpha, beta = *beta] {
    for (int64_t i = 0; i < batch; ++i) {
      float* const c_of_batch = c + i * stride_c;
      if (k == 0)
        scale(beta, c_of_batch, out);
      else
        multiply(transpose_a, transpose_b, m, n, k, alpha, a + i * stride_a, lda, b + i * stride_b,
                 ldb, beta, c_of_batch, ldc);
    }
  });
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasSgemmBatched_64(cublasHandle_t handle, cublasOperation_t transpose_a,
                                     cublasOperation_t transpose_b, int64_t m, int64_t n, int64_t k,
                                     const float* alpha, const float* const* a, int64_t lda,
                                     const float* const* b, int64_t ldb, const float* beta,
                                     float* const* c, int64_t ldc, int64_t batch) {
  if (m < 0 || n < 0 || k < 0 || batch < 0) return CUBLAS_STATUS_INVALID_VALUE;
  const auto matrices = [=](int64_t i) {
    return std::array{stored(transpose_a, a[i], m, k, lda, 0),
                      stored(transpose_b, b[i], k, n, ldb, 0), Matrix{c[i], m, n, ldc, 0}};
  };
  const auto bytes = static_cast<size_t>(batch) * sizeof(float*);
  enqueue(handle->stream, "cublasSgemmBatched", {{a, bytes}, {b, bytes}, {c, bytes}},
          [=, alpha = *alpha, beta = *beta] {
            for (int64_t i = 0; i < batch; ++i) {
              const auto [left, right, out] = matrices(i);
              for (const Matrix& matrix : {left, right, out}) {
                if (!matrix.valid())
                  violation("cublasSgemmBatched: a leading dimension is too small");
                require_device(matrix.range(1), "cublasSgemmBatched");
              }
              if (k == 0)
                scale(beta, c[i], out);
              else
                multiply(transpose_a, transpose_b, m, n, k, alpha, a[i], lda, b[i], ldb, beta, c[i],
                         ldc);
            }
          });
  return CUBLAS_STATUS_SUCCESS;
}

cublasStatus_t cublasGetProperty(libraryPropertyType type, int* value) {
  *value = type == MAJOR_VERSION   ? CUBLAS_VER_MAJOR
           : type == MINOR_VERSION ? CUBLAS_VER_MINOR
                                   : CUBLAS_VER_PATCH;
  return CUBLAS_STATUS_SUCCESS;
}

const char* cublasGetStatusString(cublasStatus_t status) {
  return status == CUBLAS_STATUS_SUCCESS         ? "success"
         : status == CUBLAS_STATUS_INVALID_VALUE ? "an unsupported value or parameter was passed "
                                                   "to the function"
                                                 : "an unknown status";
}

}  // extern "C"
