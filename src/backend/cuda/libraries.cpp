#include "backend/cuda/libraries.h"

#include <cudnn.h>

#include "backend/cuda/check.h"
#include "backend/cuda/cudnn_descriptor.h"
#include "backend/cuda/plans.h"
#include "backend/plan_cache.h"
#include "backend/pooling_loops.h"

namespace orepa::cuda {
namespace {

constexpr size_t kGemmWorkspace = size_t{32} << 20;  // what cuBLAS asks for on sm_90

// A handle of cuBLAS on the device's stream, with a workspace of its own: the same bits in every
// run, and no allocation behind the plan's back.
class Gemms {
 public:
  explicit Gemms(Device& device, bool tf32) : workspace_(device, kGemmWorkspace) {
    require_success(cublasCreate(&handle_), "cuBLAS cannot start");
    require_success(cublasSetStream(handle_, static_cast<cudaStream_t>(device.stream())),
                    "cuBLAS does not take the stream");
    require_success(cublasSetWorkspace(handle_, workspace_.data(), kGemmWorkspace),
                    "cuBLAS does not take its workspace");
    require_success(
        cublasSetMathMode(handle_, tf32 ? CUBLAS_TF32_TENSOR_OP_MATH : CUBLAS_PEDANTIC_MATH),
        "cuBLAS does not take the precision of products");
  }
  ~Gemms() { cublasDestroy(handle_); }
  Gemms(const Gemms&) = delete;
  Gemms& operator=(const Gemms&) = delete;

  // cuBLAS stores columns one after another: what it takes for C' = op(B)' op(A)' is our C.
  void run(const Gemm& g) const {
    require_success(
        cublasSgemmStridedBatched_64(handle_, operation(g.transpose_b), operation(g.transpose_a),
                                     g.n, g.m, g.k, &g.alpha, g.b, g.ldb, g.stride_b, g.a, g.lda,
                                     g.stride_a, &g.beta, g.c, g.ldc, g.stride_c, g.batch),
        "gemm of ", g.m, " x ", g.n, " x ", g.k, " was refused by cuBLAS");
  }
  void run(const Gemm& g, const Libraries::Matrices& at, int64_t count) const {
    require_success(
        cublasSgemmBatched_64(handle_, operation(g.transpose_b), operation(g.transpose_a), g.n, g.m,
                              g.k, &g.alpha, at.b, g.ldb, at.a, g.lda, &g.beta, at.c, g.ldc, count),
        count, " gemms of ", g.m, " x ", g.n, " x ", g.k, " were refused by cuBLAS");
  }

 private:
  static cublasOperation_t operation(bool transpose) {
    return transpose ? CUBLAS_OP_T : CUBLAS_OP_N;
  }

  DeviceMemory workspace_;
  cublasHandle_t handle_ = nullptr;
};

// A handle of cuDNN on the device's stream.
class CudnnHandle {
 public:
  explicit CudnnHandle(const Device& device) {
    check(cudnnCreate(&handle_), "cuDNN cannot start");
    check(cudnnSetStream(handle_, static_cast<cudaStream_t>(device.stream())),
          "cuDNN does not take the stream");
  }
  ~CudnnHandle() { cudnnDestroy(handle_); }
  CudnnHandle(const CudnnHandle&) = delete;
  CudnnHandle& operator=(const CudnnHandle&) = delete;
  cudnnHandle_t get() const { return handle_; }

 private:
  cudnnHandle_t handle_ = nullptr;
};

class CudaLibraries : public Libraries {
 public:
  CudaLibraries(Device& device, const DeviceOptions& options)
      : device_(device),
        gemms_(device, options.tf32),
        cudnn_(device),
        context_{device, cudnn_.get(), options} {}

  void gemm(const Gemm& gemm) override {
    device_.count_launch();
    gemms_.run(gemm);
  }
  void gemms(const Gemm& gemm, const Matrices& matrices, int64_t count) override {
    device_.count_launch();
    gemms_.run(gemm, matrices, count);
  }
  std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry& geometry) override {
    return convolutions_.of(geometry, [&] { return make_convolution(context_, geometry); });
  }
  std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry& geometry) override {
    return batch_norms_.of(geometry, [&] { return make_batch_norm(device_, geometry); });
  }
  std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry& geometry) override {
    return poolings_.of(geometry, [&] { return make_pooling_loops(device_, geometry); });
  }

 private:
  Device& device_;
  Gemms gemms_;
  CudnnHandle cudnn_;
  Cudnn context_;
  PlanCache<ConvolutionGeometry, ConvolutionPlan> convolutions_;
  PlanCache<BatchNormGeometry, BatchNormPlan> batch_norms_;
  PlanCache<PoolingGeometry, PoolingPlan> poolings_;
};

}  // namespace

std::string library_versions() {
  int major = 0, minor = 0;
  require_success(cublasGetProperty(MAJOR_VERSION, &major), "cuBLAS does not tell its version");
  require_success(cublasGetProperty(MINOR_VERSION, &minor), "cuBLAS does not tell its version");
  const size_t cudnn = cudnnGetVersion();
  return text("cuBLAS ", major, ".", minor, ", cuDNN ", cudnn / 10000, ".", cudnn / 100 % 100);
}

std::unique_ptr<Libraries> make_libraries(Device& device, const DeviceOptions& options) {
  return std::make_unique<CudaLibraries>(device, options);
}

}  // namespace orepa::cuda

extern "C" void orepa_cuda_library_versions(std::string& versions) {
  versions = orepa::cuda::library_versions();
}

extern "C" orepa::cuda::Libraries* orepa_cuda_libraries(orepa::Device& device,
                                                        const orepa::DeviceOptions& options) {
  return orepa::cuda::make_libraries(device, options).release();
}
