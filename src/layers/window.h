// Reads the window fields that convolutions and pooling share: one value for both axes, one value
// an axis, or the _h and _w forms.
#pragma once
#include "orepa/layer.h"

namespace orepa {

// Repeated fields (kernel_size, pad, stride, dilation of a convolution). `short_name` is that of
// the _h and _w forms: "kernel" for "kernel_size"; empty where there are none. Absent: `fallback`.
Pair read_pair(const LayerSpec& spec, const Options& options, const std::string& field,
               const std::string& short_name, int64_t fallback);

}  // namespace orepa
