// Images in memory, and where things are in them.
#pragma once
#include <cstdint>
#include <vector>

#include "orepa/error.h"

namespace orepa {

struct Extent {
  int64_t height = 0, width = 0;
  bool operator==(const Extent&) const = default;
};

// Rows [top, top + height) and columns [left, left + width).
struct Box {
  int64_t top = 0, left = 0, height = 0, width = 0;
  Extent extent() const { return {height, width}; }
  bool operator==(const Box&) const = default;
};

// Larger images are refused: a small file can claim to be one and take hours and all the memory.
constexpr int64_t kMostPixels = 1 << 27;

// Throws Error where an image is too large. REQUIRES: neither side is 0.
inline void require_decodable(const Extent& extent) {
  require(extent.height <= kMostPixels / extent.width, "an image of ", extent.height, " x ",
          extent.width, " pixels; at most ", kMostPixels, " can be decoded");
}

// What the channels of a pixel are.
enum class ColorOrder { kGray, kRgb, kBgr };

// Bytes of 0 to 255, channels innermost: H, W, C.
struct Image {
  // Bytes behind the last pixel, so that vectors may be read and written from any pixel on.
  static constexpr int64_t kSlack = 16;

  Extent extent;
  int64_t channels = 0;
  std::vector<unsigned char> pixels;  // and kSlack more

  void resize(const Extent& to, int64_t count) {
    extent = to;
    channels = count;
    pixels.resize(static_cast<size_t>(to.height * stride() + kSlack));
  }
  int64_t stride() const { return extent.width * channels; }  // bytes from row to row
  const unsigned char* at(int64_t y, int64_t x) const {
    return pixels.data() + y * stride() + x * channels;
  }
  unsigned char* at(int64_t y, int64_t x) { return pixels.data() + y * stride() + x * channels; }
};

// Some of the pixels of a larger image: the first is the larger one's (top, left).
struct Part {
  Image image;
  int64_t top = 0, left = 0;

  // A pixel by its place in the larger image.
  const unsigned char* at(int64_t y, int64_t x) const { return image.at(y - top, x - left); }
};

}  // namespace orepa
