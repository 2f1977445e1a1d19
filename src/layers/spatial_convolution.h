// Convolutions over any number of spatial axes as plans.
#pragma once
#include <memory>
#include <vector>

#include "orepa/device.h"

namespace orepa {

struct SpatialGeometry {
  Shape input;
  int axis = 1;  // of the channels: axes before it count samples, those behind it are spatial
  Shape kernel;  // O, C / groups, and its size along each spatial axis
  std::vector<int64_t> stride, pad, dilation;  // along each spatial axis
  int64_t groups = 1;
  bool bias = false, relu = false, training = true, data_gradient = true;  // ConvolutionGeometry's
  DType type = DType::kFloat32;

  Shape output() const;  // extents as ConvolutionGeometry's; 0 or less where a kernel is too large
};

// The device's own plan where the input is N x C x H x W. Else one of it over the last two axes
// (over one axis: of height 1), whose channels are what a window has of the other axes: taps and
// channels of each group. x and y are copied to and from its layout.
std::shared_ptr<ConvolutionPlan> spatial_convolution(Device& device,
                                                     const SpatialGeometry& geometry);

}  // namespace orepa
