// Where the taps of windows lie along one axis of an image.
#pragma once
#include "orepa/parallel.h"

namespace orepa {

struct Taps {
  int64_t in = 1, out = 1, size = 1, stride = 1, pad = 0, dilation = 1;

  // The pixel under a tap of window o; outside of the image where there is none.
  OREPA_HD int64_t pixel(int64_t o, int64_t tap) const { return o * stride - pad + tap * dilation; }
  OREPA_HD bool is_inside(int64_t pixel) const { return pixel >= 0 && pixel < in; }
  // The window whose tap lies on the pixel, -1 where there is none.
  OREPA_HD int64_t window(int64_t pixel, int64_t tap) const {
    const int64_t begin = pixel + pad - tap * dilation;
    return begin >= 0 && begin % stride == 0 && begin / stride < out ? begin / stride : -1;
  }
};

}  // namespace orepa
