// Images in memory, and where things are in them.
#pragma once
#include <cstdint>
#include <vector>

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

// Bytes of 0 to 255, channels innermost: H, W, C.
struct Image {
  Extent extent;
  int64_t channels = 0;
  std::vector<unsigned char> pixels;

  void resize(const Extent& to, int64_t count) {
    extent = to;
    channels = count;
    pixels.resize(static_cast<size_t>(to.height * to.width * count));
  }
  const unsigned char* at(int64_t y, int64_t x) const {
    return pixels.data() + (y * extent.width + x) * channels;
  }
  unsigned char* at(int64_t y, int64_t x) {
    return pixels.data() + (y * extent.width + x) * channels;
  }
};

}  // namespace orepa
