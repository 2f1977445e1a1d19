#include "data/png.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include "data/luma.h"
#include "tests/data/image_files.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Part decoded(const std::string& file, ColorOrder order) {
  PngReader reader;
  reader.open({reinterpret_cast<const unsigned char*>(file.data()), file.size()});
  Part part;
  reader.decode(0, reader.extent().height, order, part);
  return part;
}

std::vector<int> pixel(const Part& part, int64_t y, int64_t x) {
  const unsigned char* at = part.at(y, x);
  return std::vector<int>(at, at + part.image.channels);
}

class PngKinds : public testing::TestWithParam<std::tuple<int, int, bool>> {};

TEST_P(PngKinds, BecomeTheColoursAskedFor) {
  const auto [channels, depth, interlaced] = GetParam();
  const Image image = picture({19, 23}, channels);
  const std::string file = png_file(image, depth, interlaced);
  const Part rgb = decoded(file, ColorOrder::kRgb), bgr = decoded(file, ColorOrder::kBgr),
             gray = decoded(file, ColorOrder::kGray);
  for (int64_t y = 0; y < 19; ++y)
    for (int64_t x = 0; x < 23; ++x) {
      const unsigned char* p = image.at(y, x);
      const bool colored = channels >= 3;
      const int red = p[0], green = colored ? p[1] : red, blue = colored ? p[2] : red;
      ASSERT_EQ(pixel(rgb, y, x), (std::vector<int>{red, green, blue}));
      ASSERT_EQ(pixel(bgr, y, x), (std::vector<int>{blue, green, red}));
      ASSERT_EQ(pixel(gray, y, x), (std::vector<int>{luma(red, green, blue)}));
    }
}

INSTANTIATE_TEST_SUITE_P(Channels, PngKinds,
                         testing::Combine(testing::Values(1, 2, 3, 4), testing::Values(8, 16),
                                          testing::Bool()));

TEST(Png, LooksUpPalettes) {
  const std::vector<unsigned char> colors = {250, 1, 2, 3, 240, 4, 5, 6, 230, 9, 9, 9};
  Image indices;
  indices.resize({5, 7}, 1);
  for (const int depth : {1, 2, 4, 8})
    for (const bool transparent : {false, true}) {
      const int count = depth == 1 ? 2 : 4;
      for (int64_t i = 0; i < 35; ++i)
        indices.pixels[static_cast<size_t>(i)] = static_cast<unsigned char>(i % count);
      const std::vector<unsigned char> some(colors.begin(), colors.begin() + 3 * count);
      const std::string file = palette_png_file(indices, some, depth, transparent);
      const Part part = decoded(file, ColorOrder::kRgb);
      for (int64_t y = 0; y < 5; ++y)
        for (int64_t x = 0; x < 7; ++x) {
          const unsigned char* color = &colors[static_cast<size_t>(3 * *indices.at(y, x))];
          ASSERT_EQ(pixel(part, y, x), std::vector<int>(color, color + 3));
        }
    }
}

TEST(Png, DecodesTheRowsAskedFor) {
  const Image image = picture({40, 11});
  for (const bool interlaced : {false, true}) {
    const std::string file = png_file(image, 8, interlaced);
    PngReader reader;
    reader.open({reinterpret_cast<const unsigned char*>(file.data()), file.size()});
    EXPECT_EQ(reader.extent(), (Extent{40, 11}));
    Part part;
    for (const int64_t top : {0, 7, 39}) {
      const Box box{top, 0, std::min<int64_t>(40 - top, 5), 11};
      reader.decode(top, box.height, ColorOrder::kRgb, part);
      EXPECT_EQ(pixels_of(part, box), pixels_of(image, box)) << top;
    }
  }
}

TEST(Png, RefusesACutFile) {
  const std::string file = png_file(picture({20, 30}));
  for (size_t size = 8; size + 30 < file.size(); size += 5)
    EXPECT_EQ(error_of([&] { decoded(file.substr(0, size), ColorOrder::kRgb); }),
              "the PNG file is cut short")
        << size << " of " << file.size() << " bytes";
}

TEST(Png, RefusesDamagedData) {
  std::string file = png_file(picture({20, 30}));
  const size_t data = file.find("IDAT") + 60;
  file[data] = static_cast<char>(~file[data]);
  EXPECT_THAT(error_of([&] { decoded(file, ColorOrder::kRgb); }),
              StartsWith("the PNG file is damaged: "));
}

// The header says so, with the right checksum.
TEST(Png, RefusesAnImageThatIsTooLarge) {
  std::string file = png_file(picture({20, 30}));
  file.replace(16, 8, std::string("\0\1\0\0\0\1\0\0", 8));
  EXPECT_THAT(error_of([&] { decoded(file, ColorOrder::kRgb); }), HasSubstr("IHDR: CRC error"));
  uLong sum = crc32(0, reinterpret_cast<const Bytef*>(file.data()) + 12, 17);
  for (int i = 3; i >= 0; --i, sum >>= 8)
    file[29 + static_cast<size_t>(i)] = static_cast<char>(sum);
  EXPECT_EQ(error_of([&] { decoded(file, ColorOrder::kRgb); }),
            "an image of 65536 x 65536 pixels; at most 134217728 can be decoded");
}

}  // namespace
}  // namespace orepa
