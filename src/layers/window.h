// Reads the window fields that convolutions and pooling share: one value for all axes, one value an
// axis, or the _h and _w forms.
#pragma once
#include "orepa/layer.h"

namespace orepa {

// Repeated fields (kernel_size, pad, stride, dilation of a convolution). `short_name` is that of
// the _h and _w forms: "kernel" for "kernel_size"; empty where there are none. Absent: `fallback`.
Pair read_pair(const LayerSpec& spec, const Options& options, const std::string& field,
               const std::string& short_name, int64_t fallback);

// The windows of a convolution_param along each spatial axis, as it states them.
struct ConvolutionWindows {
  std::vector<int64_t> kernel, stride, pad, dilation;
};
ConvolutionWindows read_windows(const LayerSpec& spec, const Options& convolution_param,
                                int spatial_axes);
// The same for a layer of its own, whose bottom has spatial axes behind `axis`: throws Error where
// no such windows can be.
ConvolutionWindows read_windows(const Setup& setup, int axis);

// Whether a convolution_param says, as far as it can be seen without a bottom, that this is N x C x
// H x W.
bool is_planar(const Options& convolution_param);

}  // namespace orepa
