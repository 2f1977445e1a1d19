// What a convolution computes beside cuDNN, as kernels of our own. Apart from the calls of cuDNN,
// which lie in a shared object: kernels are in the program.
#pragma once
#include "orepa/device.h"

namespace orepa::cuda {

// `packed` is the kernel in the geometry's type.
void pack_kernel(const Device& device, const ConvolutionGeometry& geometry, const float* kernel,
                 void* packed);
// In place, where cuDNN has no engine that does it with the convolution: in bfloat16, y is rounded
// twice. `bias` may be null; ReLU where the geometry has one.
void add_bias_and_clamp(const Device& device, const ConvolutionGeometry& geometry,
                        const float* bias, void* y);
// dkernel is overwritten by a gradient in the geometry's type, or has it added where `accumulate`.
void unpack_gradient(const Device& device, const ConvolutionGeometry& geometry,
                     const void* gradient, float* dkernel, bool accumulate);

}  // namespace orepa::cuda
