// Changes of colour, as torchvision 0.14 computes them on images of bytes.
#pragma once
#include <cstdint>

#include "data/decoder.h"

namespace orepa {

struct ColorChange {
  enum class Kind { kBrightness, kContrast, kSaturation, kHue };
  Kind kind;
  float amount;  // a factor, 1 changes nothing; of kHue a share of the circle, 0 changes nothing
};

// Of `count` pixels in place, of 3 channels in that order, or 1 (then saturation and hue change
// nothing).
void change_colors(unsigned char* pixels, int64_t count, ColorOrder order,
                   const ColorChange& change);

}  // namespace orepa
