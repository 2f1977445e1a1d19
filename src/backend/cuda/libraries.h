// What a CUDA device computes by cuBLAS and cuDNN. They are large, so a program loads them when it
// makes such a device: in a shared object of their own, whose only door is make_libraries().
#pragma once
#include <memory>
#include <string>

#include "orepa/device.h"

namespace orepa::cuda {

class Libraries {
 public:
  virtual ~Libraries() = default;
  virtual void gemm(const Gemm& gemm) = 0;
  // `count` products of one geometry, whose matrices are where three arrays in device memory say:
  // of all else of `gemm`, its batch and strides do not count.
  struct Matrices {
    const float* const* a;
    const float* const* b;
    float* const* c;
  };
  virtual void gemms(const Gemm& gemm, const Matrices& matrices, int64_t count) = 0;
  virtual std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry& geometry) = 0;
  virtual std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry& geometry) = 0;
  virtual std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry& geometry) = 0;
};

std::string library_versions();  // "cuBLAS 13.1, cuDNN 9.19"; in the shared object
using VersionsDoor = void(std::string& versions);
constexpr char kVersionsDoor[] = "orepa_cuda_library_versions";  // by its name in C

// For a device whose stream exists; it outlives them. In the shared object.
std::unique_ptr<Libraries> make_libraries(Device& device, const DeviceOptions& options);
using LibrariesDoor = Libraries*(Device& device, const DeviceOptions& options);
constexpr char kLibrariesDoor[] = "orepa_cuda_libraries";  // make_libraries(), by its name in C

// The same, in the program: these load the shared object first. Throw Error where it or a library
// that it needs is missing.
std::string load_library_versions();
std::unique_ptr<Libraries> load_libraries(Device& device, const DeviceOptions& options);

}  // namespace orepa::cuda
