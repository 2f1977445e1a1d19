// The plans of a CUDA device: convolution on cuDNN's graph API, batch normalisation and pooling as
// kernels of our own. Only src/backend/cuda includes this.
#pragma once
#include <cudnn.h>

#include <cstdint>
#include <memory>

#include "orepa/device.h"

namespace orepa::cuda {

// What plans need of a device. All of it outlives them.
struct Cudnn {
  Device& device;
  cudnnHandle_t handle;  // on the device's stream
  DeviceOptions options;
};

std::unique_ptr<ConvolutionPlan> make_convolution(const Cudnn& cudnn,
                                                  const ConvolutionGeometry& geometry);
std::unique_ptr<BatchNormPlan> make_batch_norm(Device& device, const BatchNormGeometry& geometry);

}  // namespace orepa::cuda
