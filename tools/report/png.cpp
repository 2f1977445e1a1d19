#include "report/png.h"

#include <zlib.h>

#include <algorithm>
#include <cmath>

#include "orepa/error.h"

namespace orepa::tool {
namespace {

std::string big_endian(uint32_t number) {
  std::string bytes;
  for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>(number >> shift & 0xff);
  return bytes;
}

// Length, type, data, and the checksum of type and data.
std::string chunk(const std::string& type, const std::string& data) {
  const std::string body = type + data;
  const uLong crc = crc32(0, reinterpret_cast<const Bytef*>(body.data()), body.size());
  return big_endian(static_cast<uint32_t>(data.size())) + body +
         big_endian(static_cast<uint32_t>(crc));
}

std::string deflated(const std::string& bytes) {
  uLongf size = compressBound(bytes.size());
  std::string out(size, '\0');
  const int result = compress(reinterpret_cast<Bytef*>(out.data()), &size,
                              reinterpret_cast<const Bytef*>(bytes.data()), bytes.size());
  require(result == Z_OK, "zlib could not compress ", bytes.size(), " bytes");
  out.resize(size);
  return out;
}

}  // namespace

Picture picture_of(const float* values, int64_t channels, int64_t height, int64_t width,
                   int64_t largest) {
  const int64_t factor = (std::max(height, width) + largest - 1) / largest;
  Picture picture{
      channels == 3 ? 3 : 1, (height + factor - 1) / factor, (width + factor - 1) / factor, {}};
  const int64_t count = picture.channels * height * width;
  const auto [least, most] = std::minmax_element(values, values + count);
  const float range = *most > *least ? *most - *least : 1.0f;
  for (int64_t y = 0; y < picture.height; ++y)
    for (int64_t x = 0; x < picture.width; ++x)
      for (int64_t c = 0; c < picture.channels; ++c) {
        double sum = 0;
        int64_t pixels = 0;
        for (int64_t v = y * factor; v < std::min(height, (y + 1) * factor); ++v)
          for (int64_t u = x * factor; u < std::min(width, (x + 1) * factor); ++u, ++pixels)
            sum += values[(c * height + v) * width + u];
        const double shade = (sum / static_cast<double>(pixels) - *least) / range;
        picture.bytes.push_back(static_cast<uint8_t>(std::lround(255 * shade)));
      }
  return picture;
}

void swap_red_and_blue(Picture& picture) {
  if (picture.channels != 3) return;
  for (size_t pixel = 0; pixel < picture.bytes.size(); pixel += 3)
    std::swap(picture.bytes[pixel], picture.bytes[pixel + 2]);
}

std::string png_of(const Picture& picture) {
  const int64_t row = picture.width * picture.channels;
  std::string rows;
  for (int64_t y = 0; y < picture.height; ++y) {
    rows += '\0';  // unfiltered
    rows.append(picture.bytes.begin() + y * row, picture.bytes.begin() + (y + 1) * row);
  }
  const char colours = picture.channels == 3 ? 2 : 0;  // RGB or grey, 8 bits each
  const std::string header = big_endian(static_cast<uint32_t>(picture.width)) +
                             big_endian(static_cast<uint32_t>(picture.height)) +
                             std::string{8, colours, 0, 0, 0};
  return "\x89PNG\r\n\x1a\n" + chunk("IHDR", header) + chunk("IDAT", deflated(rows)) +
         chunk("IEND", "");
}

std::string base64(const std::string& bytes) {
  constexpr const char* kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  for (size_t at = 0; at < bytes.size(); at += 3) {
    const size_t given = std::min<size_t>(3, bytes.size() - at);
    uint32_t bits = 0;
    for (size_t i = 0; i < 3; ++i)
      bits = bits << 8 | (i < given ? static_cast<unsigned char>(bytes[at + i]) : 0U);
    for (size_t i = 0; i < 4; ++i) out += i <= given ? kDigits[bits >> (18 - 6 * i) & 63] : '=';
  }
  return out;
}

std::string data_uri(const Picture& picture) {
  return "data:image/png;base64," + base64(png_of(picture));
}

}  // namespace orepa::tool
