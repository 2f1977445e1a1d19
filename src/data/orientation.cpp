#include "data/orientation.h"

#include <algorithm>
#include <cstring>
#include <string_view>
#include <utility>

namespace orepa {
namespace {

// The numbers of a TIFF file; one beyond its end is 0.
class TiffNumbers {
 public:
  explicit TiffNumbers(std::span<const unsigned char> bytes)
      : bytes_(bytes), big_endian_(!bytes.empty() && bytes[0] == 'M') {}
  uint32_t read16(size_t at) const { return read(at, 2); }
  uint32_t read32(size_t at) const { return read(at, 4); }

 private:
  uint32_t read(size_t at, size_t count) const {
    if (at > bytes_.size() || bytes_.size() - at < count) return 0;
    uint32_t value = 0;
    for (size_t i = 0; i < count; ++i)
      value = value << 8 | bytes_[at + (big_endian_ ? i : count - 1 - i)];
    return value;
  }
  std::span<const unsigned char> bytes_;
  bool big_endian_;
};

}  // namespace

Extent Orientation::shown(const Extent& stored) const {
  return transpose ? Extent{stored.width, stored.height} : stored;
}

Box Orientation::stored(const Box& shown, const Extent& stored) const {
  Box box = transpose ? Box{shown.left, shown.top, shown.width, shown.height} : shown;
  if (reverse_rows) box.top = stored.height - box.top - box.height;
  if (reverse_columns) box.left = stored.width - box.left - box.width;
  return box;
}

Orientation exif_orientation(std::span<const unsigned char> tiff) {
  constexpr uint32_t kTag = 0x0112, kShort = 3;
  constexpr size_t kEntryBytes = 12;
  const TiffNumbers numbers(tiff);
  if (numbers.read16(2) != 42) return {};
  const size_t directory = numbers.read32(4);
  const uint32_t entries = numbers.read16(directory);
  for (uint32_t i = 0; i < entries; ++i) {
    const size_t entry = directory + 2 + i * kEntryBytes;
    if (numbers.read16(entry) != kTag || numbers.read16(entry + 2) != kShort) continue;
    switch (numbers.read16(entry + 8)) {
      case 2:
        return {.reverse_columns = true};
      case 3:
        return {.reverse_rows = true, .reverse_columns = true};
      case 4:
        return {.reverse_rows = true};
      case 5:
        return {.transpose = true};
      case 6:
        return {.transpose = true, .reverse_rows = true};
      case 7:
        return {.transpose = true, .reverse_rows = true, .reverse_columns = true};
      case 8:
        return {.transpose = true, .reverse_columns = true};
      default:
        return {};
    }
  }
  return {};
}

Orientation jpeg_orientation(std::span<const unsigned char> file) {
  using namespace std::string_view_literals;
  constexpr unsigned char kApp1 = 0xe1, kStartOfScan = 0xda, kFill = 0xff;
  constexpr std::string_view kExif = "Exif\0\0"sv;
  // A segment is 0xff, its kind, and its length in two bytes, which count themselves.
  for (size_t at = 2; at + 4 <= file.size() && file[at] == 0xff;) {
    const unsigned char kind = file[at + 1];
    if (kind == kFill) {
      ++at;
      continue;
    }
    if (kind == kStartOfScan) break;
    const size_t length = static_cast<size_t>(file[at + 2]) << 8 | file[at + 3];
    if (length < 2 || length > file.size() - at - 2) break;
    const std::span<const unsigned char> content = file.subspan(at + 4, length - 2);
    if (kind == kApp1 && content.size() > kExif.size() &&
        std::memcmp(content.data(), kExif.data(), kExif.size()) == 0)
      return exif_orientation(content.subspan(kExif.size()));
    at += 2 + length;
  }
  return {};
}

void turn(const Part& part, const Box& stored, const Orientation& orientation, Image& shown) {
  const int64_t channels = part.image.channels;
  shown.resize(orientation.shown(stored.extent()), channels);
  // How far it is in what is stored to the pixel below and to the one on the right.
  int64_t row = part.image.stride(), column = channels;
  const unsigned char* from =
      part.at(orientation.reverse_rows ? stored.top + stored.height - 1 : stored.top,
              orientation.reverse_columns ? stored.left + stored.width - 1 : stored.left);
  if (orientation.reverse_rows) row = -row;
  if (orientation.reverse_columns) column = -column;
  if (orientation.transpose) std::swap(row, column);
  unsigned char* to = shown.pixels.data();
  for (int64_t y = 0; y < shown.extent.height; ++y)
    for (int64_t x = 0; x < shown.extent.width; ++x, to += channels)
      std::copy_n(from + y * row + x * column, channels, to);
}

}  // namespace orepa
