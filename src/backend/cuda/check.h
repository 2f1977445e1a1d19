// Every call of the CUDA runtime and of cuBLAS says whether it went well; nobody ignores it. Only
// src/backend/cuda includes this.
#pragma once
#include <cublas_v2.h>
#include <cuda_runtime.h>

#include "orepa/error.h"

namespace orepa::cuda {

// Throws Error with `what`, which says what was tried, and the runtime's own words.
template <class... What>
void require_success(cudaError_t error, const What&... what) {
  if (error == cudaSuccess) return;
  cudaGetLastError();  // the runtime keeps it otherwise, for the next caller
  fail(what..., ": ", cudaGetErrorString(error), " (", cudaGetErrorName(error), ")");
}
template <class... What>
void require_success(cublasStatus_t status, const What&... what) {
  require(status == CUBLAS_STATUS_SUCCESS, what..., ": ", cublasGetStatusString(status));
}

}  // namespace orepa::cuda
