// Convolution by its definition, as kernels of our own: for geometries of which cuDNN has no
// engine. Slow.
#pragma once
#include "orepa/device.h"

namespace orepa::cuda {

// Activations and `kernel` (O, kh, kw, C/G) are of the geometry's type, sums in float32. `bias` may
// be null; dkernel is overwritten, or added to where `accumulate`.
void direct_forward(const Device& device, const ConvolutionGeometry& geometry, const void* x,
                    const void* kernel, const float* bias, void* y);
void direct_backward_data(const Device& device, const ConvolutionGeometry& geometry, const void* dy,
                          const void* kernel, void* dx);
void direct_backward_kernel(const Device& device, const ConvolutionGeometry& geometry,
                            const void* x, const void* dy, float* dkernel, bool accumulate);

}  // namespace orepa::cuda
