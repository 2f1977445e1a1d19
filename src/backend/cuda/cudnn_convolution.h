// Convolution as graphs of cuDNN: pure functions of the geometry, which a test shows to cuDNN for
// devices that are only described.
#pragma once
#include "backend/cuda/cudnn_engine.h"
#include "backend/cuda/plans.h"

namespace orepa::cuda {

// The tensors of the graphs. Gradients have the id of what they are the gradients of.
enum ConvolutionTensor : int64_t { kX = 1, kKernel, kY, kBias };

// Activations, their gradients and the kernel, with its gradient, are of the geometry's type.
Graph forward_graph(const ConvolutionGeometry& geometry);
// With its bias and its ReLU, in float32 until y is rounded. REQUIRES: the geometry has either.
Graph fused_forward_graph(const ConvolutionGeometry& geometry);
Graph backward_data_graph(const ConvolutionGeometry& geometry);
Graph backward_kernel_graph(const ConvolutionGeometry& geometry);

EngineLimits engine_limits(const ConvolutionGeometry& geometry, const DeviceOptions& options);

}  // namespace orepa::cuda
