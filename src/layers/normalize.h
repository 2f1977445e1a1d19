// From the bytes or numbers of a batch of images to what a net sees.
#pragma once
#include <cstdint>

#include "data/frame.h"

namespace orepa {

// Row n H + y of the batch, its pixel x.
template <class Stored>
struct Normalize {
  const Stored* pixels;
  const Frame* frames;
  const float *mean, *scale;  // by channel
  const float* mean_image;    // null, or instead of `mean`: pixels of mean_width a row
  int32_t height, width, channels, mean_width;
  float* out;

  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const auto row = static_cast<int32_t>(r), x = static_cast<int32_t>(j);
    const int32_t n = row / height, y = row % height;
    const Frame& frame = frames[n];
    const bool shown = frame.image.holds(y, x) && !frame.erased.holds(y, x);
    const Stored* from = pixels + (r * width + j) * channels;
    float* to = out + (r * width + j) * channels;
    const float* subtracted = mean;
    if (mean_image != nullptr && shown) {
      const int32_t column = frame.left + (frame.flip != 0 ? width - 1 - x : x);
      subtracted =
          mean_image + static_cast<int64_t>((frame.top + y) * mean_width + column) * channels;
    }
    for (int32_t c = 0; c < channels; ++c) {
      const float light = channels == 3 ? frame.light[c] : 0.0f;
      to[c] = shown ? (static_cast<float>(from[c]) + light - subtracted[c]) * scale[c] : 0.0f;
    }
  }
};

}  // namespace orepa
