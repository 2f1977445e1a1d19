// View: which part of an image is seen, and how large. It is known before the image is decoded, so
// that only what is seen has to be.
#pragma once
#include "data/image.h"

namespace orepa {

enum class Filter {
  kAntialias,  // a triangle as wide as a pixel of the result, as Pillow and torchvision resize
  kBilinear,   // the four neighbours, however much an image shrinks, as OpenCV and Caffe resize
};

// The image is cut to `region`, that is resized to `size` (not at all where it has that extent),
// and of this `window` is kept, which may hang over: what lies outside is padding. At last it is
// flipped from left to right. `region` is not empty and lies in the image.
struct View {
  Box region;
  Extent size;
  Box window;
  bool flip = false;
  Filter filter = Filter::kAntialias;
};

}  // namespace orepa
