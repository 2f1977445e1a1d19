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
  virtual std::string versions() const = 0;  // "cuDNN 9.19"
  virtual void gemm(const Gemm& gemm) = 0;
  virtual std::shared_ptr<ConvolutionPlan> convolution(const ConvolutionGeometry& geometry) = 0;
  virtual std::shared_ptr<BatchNormPlan> batch_norm(const BatchNormGeometry& geometry) = 0;
  virtual std::shared_ptr<PoolingPlan> pooling(const PoolingGeometry& geometry) = 0;
};

// For a device whose stream exists; it outlives them. In the shared object.
std::unique_ptr<Libraries> make_libraries(Device& device, const DeviceOptions& options);
using LibrariesDoor = Libraries*(Device& device, const DeviceOptions& options);
constexpr char kLibrariesDoor[] = "orepa_cuda_libraries";  // make_libraries(), by its name in C

// The same, in the program: loads the shared object first. Throws Error where it or a library that
// it needs is missing.
std::unique_ptr<Libraries> load_libraries(Device& device, const DeviceOptions& options);

}  // namespace orepa::cuda
