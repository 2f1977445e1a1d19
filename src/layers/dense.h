// A dense map of rows, y (M, N) = x (M, K) W^T, and its gradients. W is (N, K), or (K, N) where
// `transposed`.
#pragma once
#include "orepa/device.h"

namespace orepa {

struct Dense {
  int64_t m = 0, n = 0, k = 0;
  bool transposed = false;

  // y += x W^T where `accumulate`.
  void forward(Device& device, const float* x, const float* w, float* y,
               bool accumulate = false) const {
    Gemm gemm{false, !transposed, m, n, k};
    gemm.a = x, gemm.lda = k;
    gemm.b = w, gemm.ldb = transposed ? n : k;
    gemm.c = y, gemm.ldc = n;
    gemm.beta = accumulate ? 1.0f : 0.0f;
    device.gemm(gemm);
  }
  void weight_gradient(Device& device, const float* dy, const float* x, float* dw,
                       bool accumulate) const {
    Gemm gemm{true, false, transposed ? k : n, transposed ? n : k, m};
    gemm.a = transposed ? x : dy, gemm.lda = transposed ? k : n;
    gemm.b = transposed ? dy : x, gemm.ldb = transposed ? n : k;
    gemm.c = dw, gemm.ldc = transposed ? n : k;
    gemm.beta = accumulate ? 1.0f : 0.0f;
    device.gemm(gemm);
  }
  void input_gradient(Device& device, const float* dy, const float* w, float* dx) const {
    Gemm gemm{false, transposed, m, k, n};
    gemm.a = dy, gemm.lda = n;
    gemm.b = w, gemm.ldb = transposed ? n : k;
    gemm.c = dx, gemm.ldc = k;
    device.gemm(gemm);
  }
  int64_t macs() const { return m * n * k; }
};

}  // namespace orepa
