#include "data/orientation.h"

#include <gtest/gtest.h>

#include "tests/data/image_files.h"

namespace orepa {
namespace {

std::span<const unsigned char> bytes_of(const std::string& text) {
  return {reinterpret_cast<const unsigned char*>(text.data()), text.size()};
}

// What follows "Exif\0\0".
Orientation of_value(int value, bool big_endian = false) {
  return exif_orientation(bytes_of(exif_segment(value, big_endian).substr(10)));
}

// By the standard's words: where the stored row 0 and column 0 are, seen by a viewer.
TEST(Orientation, IsWhatExifSays) {
  const Orientation all[] = {{},
                             {.reverse_columns = true},
                             {.reverse_rows = true, .reverse_columns = true},
                             {.reverse_rows = true},
                             {.transpose = true},
                             {.transpose = true, .reverse_rows = true},
                             {.transpose = true, .reverse_rows = true, .reverse_columns = true},
                             {.transpose = true, .reverse_columns = true}};
  for (int value = 1; value <= 8; ++value) {
    EXPECT_EQ(of_value(value), all[value - 1]) << value;
    EXPECT_EQ(of_value(value, true), all[value - 1]) << value;
  }
  EXPECT_EQ(of_value(0), Orientation());
  EXPECT_EQ(of_value(9), Orientation());
}

TEST(Orientation, TurnsAPart) {
  const Image stored = picture({4, 6});
  const Part part{stored, 10, 20};  // of an image of 17 x 29
  const Extent whole{17, 29};
  for (int value = 1; value <= 8; ++value) {
    const Orientation orientation = of_value(value);
    const Extent extent = orientation.shown(whole);
    EXPECT_EQ(extent.height, value <= 4 ? 17 : 29);
    // A box of what is shown, found by the corner that is stored first.
    const Box box{11, 21, 2, 3};
    Box shown = orientation.transpose ? Box{21, 11, 3, 2} : box;
    const int64_t height = orientation.transpose ? 29 : 17, width = orientation.transpose ? 17 : 29;
    const bool from_bottom = value == 3 || value == 4 || value == 7 || value == 8;
    const bool from_right = value == 2 || value == 3 || value == 6 || value == 7;
    if (from_bottom) shown.top = height - shown.top - shown.height;
    if (from_right) shown.left = width - shown.left - shown.width;
    ASSERT_EQ(orientation.stored(shown, whole), box) << value;
    Image turned;
    turn(part, box, orientation, turned);
    ASSERT_EQ(turned.extent, shown.extent());
    for (int64_t y = 0; y < turned.extent.height; ++y)
      for (int64_t x = 0; x < turned.extent.width; ++x) {
        const int64_t along = from_bottom ? turned.extent.height - 1 - y : y;
        const int64_t across = from_right ? turned.extent.width - 1 - x : x;
        const int64_t row = orientation.transpose ? across : along;
        const int64_t column = orientation.transpose ? along : across;
        EXPECT_EQ(turned.at(y, x)[1], part.at(box.top + row, box.left + column)[1]) << value;
      }
  }
}

TEST(Orientation, IsFoundBehindOtherSegments) {
  EXPECT_EQ(jpeg_orientation(bytes_of(jpeg_file(picture({8, 8}), {.exif = 6}))), of_value(6));
  EXPECT_EQ(jpeg_orientation(bytes_of(jpeg_file(picture({8, 8})))), Orientation());
  // Fill bytes may stand before a segment, and another APP1 is not EXIF.
  const std::string other = std::string("\xff\xe1\x00\x07http", 8) + "x";
  EXPECT_EQ(jpeg_orientation(bytes_of("\xff\xd8" + other + "\xff\xff" + exif_segment(3))),
            of_value(3));
  // Behind the start of a scan there is no header.
  EXPECT_EQ(
      jpeg_orientation(bytes_of("\xff\xd8" + std::string("\xff\xda\x00\x02", 4) + exif_segment(3))),
      Orientation());
}

// Run with sanitizers, this finds what reads beyond the end.
TEST(Orientation, ReadsNothingBeyondTheEnd) {
  const std::string file = "\xff\xd8" + exif_segment(6);
  for (size_t size = 0; size < file.size(); ++size) {
    const std::vector<unsigned char> cut(file.begin(), file.begin() + static_cast<int64_t>(size));
    EXPECT_EQ(jpeg_orientation(cut), Orientation());
  }
  // A directory at the end of the address space, and one of 65,535 entries.
  std::string far = exif_segment(6).substr(10), many = far;
  far.replace(4, 4, "\xff\xff\xff\xff");
  many.replace(8, 2, "\xff\xff");
  many.replace(22, 2, "\x13\x01");
  for (const std::string& tiff : {far, many}) {
    const std::vector<unsigned char> bytes(tiff.begin(), tiff.end());
    EXPECT_EQ(exif_orientation(bytes), Orientation());
  }
}

}  // namespace
}  // namespace orepa
