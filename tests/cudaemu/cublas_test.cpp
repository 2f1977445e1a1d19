// The emulated cuBLAS against loops in double.
#include <cublas_v2.h>

#include <cmath>
#include <limits>

#include "tests/cudaemu/fixture.h"

namespace cudaemu {
namespace {

class Cublas : public Emulation {
 protected:
  Cublas() {
    EXPECT_EQ(cublasCreate(&handle_), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasSetStream(handle_, stream_), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasSetMathMode(handle_, CUBLAS_PEDANTIC_MATH), CUBLAS_STATUS_SUCCESS);
    EXPECT_EQ(cublasSetWorkspace(handle_, device(1024), 4096), CUBLAS_STATUS_SUCCESS);
  }
  ~Cublas() override { EXPECT_EQ(cublasDestroy(handle_), CUBLAS_STATUS_SUCCESS); }

  cublasHandle_t handle_;
};
using CublasDeathTest = Cublas;

// Whole numbers, so that sums in float are exact.
cublasStatus_t multiply(cublasHandle_t handle, int64_t n, float alpha, const float* a, int64_t lda,
                        const float* b, int64_t ldb, float beta, float* c, int64_t ldc) {
  return cublasSgemmStridedBatched_64(handle, CUBLAS_OP_N, CUBLAS_OP_N, n, n, n, &alpha, a, lda, 0,
                                      b, ldb, 0, &beta, c, ldc, 0, 1);
}

float number(size_t i) { return static_cast<float>(static_cast<int>(i * 7919 % 23) - 11); }

std::vector<float> numbers(size_t count) {
  std::vector<float> values;
  for (size_t i = 0; i < count; ++i) values.push_back(number(i));
  return values;
}

TEST_F(Cublas, MultipliesBatchesOfMatrices) {
  const int m = 5, n = 7, batch = 3, lda = 12, ldb = 13, ldc = 9;
  const long long stride = 150;
  for (const bool transpose_a : {false, true})
    for (const bool transpose_b : {false, true})
      for (const int k : {0, 4, 9})
        for (const float beta : {0.0f, 2.0f}) {
          const std::vector<float> a = numbers(450), b = numbers(450);
          const float alpha = 3, *on_a = device(a), *on_b = device(b);
          std::vector<float> c = numbers(450), expected = c;
          // Where beta is 0, what was there doesn't matter.
          if (beta == 0) c.assign(450, std::numeric_limits<float>::quiet_NaN());
          for (int i = 0; i < batch; ++i)
            for (int column = 0; column < n; ++column)
              for (int row = 0; row < m; ++row) {
                double sum = 0;
                for (int term = 0; term < k; ++term)
                  sum +=
                      double{a[i * stride + (transpose_a ? term + row * lda : row + term * lda)]} *
                      b[i * stride + (transpose_b ? column + term * ldb : term + column * ldb)];
                float& out = expected[i * stride + row + column * ldc];
                out = static_cast<float>(alpha * sum + beta * out);
              }
          float* on_c = device(c);
          EXPECT_EQ(cublasSgemmStridedBatched_64(handle_, transpose_a ? CUBLAS_OP_T : CUBLAS_OP_N,
                                                 transpose_b ? CUBLAS_OP_T : CUBLAS_OP_N, m, n, k,
                                                 &alpha, on_a, lda, stride, on_b, ldb, stride,
                                                 &beta, on_c, ldc, stride, batch),
                    CUBLAS_STATUS_SUCCESS);
          c = read(on_c, 450);
          for (int i = 0; i < batch; ++i)
            for (int column = 0; column < n; ++column)
              for (int row = 0; row < m; ++row) {
                const size_t at = static_cast<size_t>(i * stride + row + column * ldc);
                EXPECT_EQ(c[at], expected[at]) << transpose_a << transpose_b << k << beta << at;
              }
        }
}

// Large enough for all of oneDNN's threads, which may touch the device's memory then.
TEST_F(Cublas, MultipliesWithSeveralThreads) {
  const int n = 400;
  const std::vector<float> a = numbers(n * n);
  float* c = device(n * n);
  EXPECT_EQ(multiply(handle_, n, 1, device(a), n, device(a), n, 0, c, n), CUBLAS_STATUS_SUCCESS);
  const std::vector<float> product = read(c, n * n);
  for (int column = 0; column < n; ++column)
    for (int row = 0; row < n; ++row) {
      double sum = 0;
      for (int term = 0; term < n; ++term) sum += double{a[row + term * n]} * a[term + column * n];
      ASSERT_EQ(product[row + column * n], sum) << row << ", " << column;
    }
}

TEST_F(Cublas, MultipliesWhenTheStreamGetsThere) {
  const float* x = device(std::vector<float>{2, 3});
  float *a = device(1), *c = device(1);
  EXPECT_EQ(cudaMemcpyAsync(a, x, 4, cudaMemcpyDeviceToDevice, stream_), cudaSuccess);
  EXPECT_EQ(multiply(handle_, 1, 1, a, 1, x + 1, 1, 0, c, 1), CUBLAS_STATUS_SUCCESS);
  EXPECT_EQ(cudaMemsetAsync(a, 0, 4, stream_), cudaSuccess);
  EXPECT_EQ(read(c, 1), std::vector<float>{6});
}

TEST_F(CublasDeathTest, ChecksItsArguments) {
  float *a = device(12), host[12];
  const auto square = [&](const float* a, const float* b, float* c, int leading) {
    return multiply(handle_, 3, 1, a, leading, b, leading, 1, c, leading);
  };
  EXPECT_EQ(square(a, a, a, 2), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_EQ(cublasSetWorkspace(handle_, a + 1, 4), CUBLAS_STATUS_INVALID_VALUE);
  EXPECT_DEATH(square(a, a, host, 3), "cublasSgemm: 36 bytes at .* are not inside one allocation");
  EXPECT_DEATH(square(a, a + 4, a, 3), "cublasSgemm: 36 bytes at .* are not inside one allocation");
  EXPECT_DEATH(square(a, a, a, 5), "cublasSgemm: 52 bytes at .* are not inside one allocation");
  EXPECT_DEATH(cublasSetWorkspace(handle_, a, 49), "cublasSetWorkspace: 49 bytes");
  EXPECT_STREQ(cublasGetStatusString(CUBLAS_STATUS_SUCCESS), "success");
}

}  // namespace
}  // namespace cudaemu
