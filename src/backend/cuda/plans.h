// The plans of a CUDA device: convolution on cuDNN's graph API, batch normalisation and pooling as
// kernels of our own. Only src/backend/cuda includes this.
#pragma once
#include <cudnn.h>

#include <cstdint>
#include <memory>

#include "orepa/device.h"

namespace orepa::cuda {

struct CudnnOptions {
  Algorithm algorithm = Algorithm::kAuto;
  bool tf32 = false;  // whether products of float32 may be rounded to 10 bits for tensor cores
  int64_t workspace_limit = int64_t{256} << 20;  // bytes that one pass may take
};

// What plans need of a device. All of it outlives them.
struct Cudnn {
  Device& device;
  cudnnHandle_t handle;  // on the device's stream
  CudnnOptions options;
};

std::unique_ptr<ConvolutionPlan> make_convolution(const Cudnn& cudnn,
                                                  const ConvolutionGeometry& geometry);
std::unique_ptr<BatchNormPlan> make_batch_norm(Device& device, const BatchNormGeometry& geometry);
std::unique_ptr<PoolingPlan> make_pooling(Device& device, const PoolingGeometry& geometry);

}  // namespace orepa::cuda
