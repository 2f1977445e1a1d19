// What the fuzzers of image files share: an input is a view in its first bytes, and then a file.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <tuple>
#include <vector>

#include "data/decoder.h"

namespace orepa::fuzz {

constexpr size_t kViewBytes = 11;

// What the decoder makes of a view; nothing where the file is refused.
inline std::optional<std::vector<unsigned char>> seen(Decoder& decoder, const View& view) {
  const int64_t bytes = view.window.height * view.window.width * decoder.channels();
  std::vector<unsigned char> pixels(static_cast<size_t>(bytes));
  try {
    decoder.decode(view, pixels.data());
  } catch (const Error&) {
    return std::nullopt;
  }
  return pixels;
}

// Ends the process unless the part of the image is part of the whole image: bit for bit, and
// refused only where the whole is.
inline void require_part(Decoder& decoder, const Box& box) {
  const Extent extent = decoder.extent();
  View view;
  view.region = view.window = {0, 0, extent.height, extent.width};
  view.size = extent;
  const auto whole = seen(decoder, view);
  view.window = box;
  const auto part = seen(decoder, view);
  if (!whole) return;
  if (!part) std::abort();
  const int64_t channels = decoder.channels(), row = box.width * channels;
  for (int64_t y = 0; y < box.height; ++y)
    if (!std::equal(part->begin() + y * row, part->begin() + (y + 1) * row,
                    whole->begin() + ((box.top + y) * extent.width + box.left) * channels))
      std::abort();
}

inline void decode(const uint8_t* head, const std::vector<unsigned char>& file) {
  constexpr int64_t kMostPixels = 1 << 18;  // more take too long
  Record record;
  record.kind = Record::Kind::kFile;
  record.content = file;
  Decoder decoder({static_cast<ColorOrder>(head[0] % 3), (head[0] & 4) != 0});
  try {
    decoder.open(record);
  } catch (const Error&) {
    return;
  }
  const Extent extent = decoder.extent();
  if (extent.height > kMostPixels / extent.width) return;
  const auto part = [&](size_t at, int64_t length) {
    const int64_t first = head[at] * length / 256;
    return std::pair(first, 1 + head[at + 1] * (length - first) / 256);
  };
  View view;
  std::tie(view.region.top, view.region.height) = part(1, extent.height);
  std::tie(view.region.left, view.region.width) = part(3, extent.width);
  view.size = {1 + head[5], 1 + head[6]};
  view.window = {head[7] - 8, head[8] - 8, 1 + head[9], 1 + head[10]};
  view.flip = (head[0] & 8) != 0;
  view.filter = (head[0] & 16) != 0 ? Filter::kBilinear : Filter::kAntialias;
  seen(decoder, view);
  require_part(decoder, view.region);
}

}  // namespace orepa::fuzz
