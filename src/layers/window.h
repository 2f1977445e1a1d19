// Reads the window fields that convolutions and pooling share: one value for both axes, one value
// an axis, or the _h and _w forms.
#pragma once
#include "orepa/layer.h"

namespace orepa {

// Repeated fields (kernel_size, pad, stride, dilation of a convolution). `short_name` is that of
// the _h and _w forms: "kernel" for "kernel_size"; empty where there are none. Absent: `fallback`.
Pair read_pair(const LayerSpec& spec, const Options& options, const std::string& field,
               const std::string& short_name, int64_t fallback);

// The windows of a convolution_param, as it states them.
struct ConvolutionWindows {
  Pair kernel{0, 0}, stride{1, 1}, pad{0, 0}, dilation{1, 1};
};
ConvolutionWindows read_windows(const LayerSpec& spec, const Options& convolution_param);
// The same for a layer of its own: throws Error where no such windows can be, and where `axis` is
// another one than 1 or the bottom not N x C x H x W.
ConvolutionWindows read_windows(const Setup& setup);

}  // namespace orepa
