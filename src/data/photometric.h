// Changes of colour, as torchvision makes them of a PIL image: with bytes after every step, rounded
// as Pillow rounds them.
#pragma once
#include <span>

#include "data/image.h"

namespace orepa {

enum class Photometric {
  kBrightness,  // 0 is black
  kContrast,    // 0 is the image's mean grey
  kSaturation,  // 0 is each pixel's grey
  kHue,         // turns it by that much of the circle, -0.5 to 0.5
};

// Changes all the pixels of an image, in place. A factor of 1 changes nothing; of kHue 0 would,
// were hue and saturation not rounded to bytes, too. Grey has neither, and stays as it is.
void adjust(Photometric what, double factor, ColorOrder order, std::span<unsigned char> pixels);

}  // namespace orepa
