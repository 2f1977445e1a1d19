// Plan: all that will happen to one image between its source and the net. It is drawn before the
// image is decoded, from the image's extent and random numbers alone.
#pragma once
#include <array>
#include <vector>

#include "data/photometric.h"
#include "data/view.h"
#include "orepa/error.h"

namespace orepa {

struct ColorChange {
  Photometric what;
  float factor;
};

struct Plan {
  View view;
  std::vector<ColorChange> colors;  // one after the other
  std::array<float, 3> light{};     // added to R, G and B
  Box erased;                       // of the window: it becomes 0, as padding does
  // Of the image, what the sample is: a window of it, or all.
  Box sample;
  // Where the mean image has the first pixel of what is seen; flipped, if what is seen is.
  struct MeanPlace {
    int64_t top = 0, left = 0;
    bool flip = false;
  } mean;

  // Of an image that nothing happens to yet.
  void start(const Extent& image, const Box* window) {
    const Box all{0, 0, image.height, image.width};
    sample = window == nullptr ? all : *window;
    view = {all, image, all};
    colors.clear();
    light = {};
    erased = {};
  }
  // Keeps a box of what is seen so far, which may hang over.
  void cut(Box box) {
    if (view.flip) box.left = view.window.width - box.left - box.width;
    view.window = {view.window.top + box.top, view.window.left + box.left, box.height, box.width};
  }
  // What is seen so far gets that size. REQUIRES: nothing has been resized yet. Throws Error where
  // it hangs over the image.
  void resize(const Extent& size, Filter filter) {
    const Box& part = view.window;
    require(part.top >= 0 && part.left >= 0 && part.top + part.height <= view.size.height &&
                part.left + part.width <= view.size.width,
            "is padded before it is resized; put the crop that pads behind");
    view.region = part;
    view.size = size;
    view.window = {0, 0, size.height, size.width};
    view.filter = filter;
  }
  // The same, but with so many pixels along the shorter side. REQUIRES: nothing follows.
  void scale(int64_t shorter_side);
};

}  // namespace orepa
