#include "data/jpeg.h"

#include <gmock/gmock.h>
#include <jpeglib.h>

#include <cstdio>

#include "tests/data/image_files.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

std::span<const unsigned char> bytes_of(const std::string& file) {
  return {reinterpret_cast<const unsigned char*>(file.data()), file.size()};
}

Box whole(const Extent& extent) { return {0, 0, extent.height, extent.width}; }

// Reads and decodes it, all of it where there is no other box.
Part decoded(const std::string& file, ColorOrder order, const Box* box = nullptr) {
  JpegReader reader;
  reader.open(bytes_of(file));
  Part part;
  reader.decode(box != nullptr ? *box : whole(reader.extent()), 1, order, part);
  return part;
}

struct Kind {
  const char* name;
  int64_t channels;
  JpegOptions options;
};
void PrintTo(const Kind& kind, std::ostream* out) { *out << kind.name; }

class JpegParts : public testing::TestWithParam<Kind> {};

// Wherever a part begins and ends, however it lies to blocks and to samples of colour.
TEST_P(JpegParts, AreEqualToTheWhole) {
  const Extent extent{75, 91};
  const std::string file = jpeg_file(picture(extent, GetParam().channels), GetParam().options);
  JpegReader reader;
  reader.open(bytes_of(file));
  EXPECT_EQ(reader.extent(), extent);
  for (const int denominator : {1, 2, 4, 8}) {
    const Image image =
        whole_jpeg(file, GetParam().channels == 1 ? JCS_GRAYSCALE : JCS_EXT_BGR, denominator);
    const ColorOrder order = GetParam().channels == 1 ? ColorOrder::kGray : ColorOrder::kBgr;
    Part part;
    const auto compare = [&](const Box& box) {
      reader.decode(box, denominator, order, part);
      ASSERT_EQ(pixels_of(part, box), pixels_of(image, box))
          << "1/" << denominator << ": " << box.height << " x " << box.width << " at (" << box.top
          << ", " << box.left << ")";
    };
    compare(whole(image.extent));
    for (int64_t left = 0; left < image.extent.width; ++left)
      for (const int64_t width : {1, 7, 16, 33, 91})
        if (left + width <= image.extent.width) {
          ASSERT_NO_FATAL_FAILURE(compare({image.extent.height / 3, left, 2, width}));
        }
    for (int64_t top = 0; top < image.extent.height; ++top)
      for (const int64_t height : {1, 2, 16, 31, 75})
        if (top + height <= image.extent.height) {
          ASSERT_NO_FATAL_FAILURE(compare({top, image.extent.width / 3, height, 3}));
        }
  }
}

INSTANTIATE_TEST_SUITE_P(
    Samplings, JpegParts,
    testing::Values(
        Kind{"Grey", 1, {}}, Kind{"GreyProgressive", 1, {.progressive = true}},
        Kind{"GreySampled", 1, {.horizontal = 2, .vertical = 2}}, Kind{"Yuv444", 3, {}},
        Kind{"Yuv422", 3, {.horizontal = 2}}, Kind{"Yuv440", 3, {.vertical = 2}},
        Kind{"Yuv420", 3, {.horizontal = 2, .vertical = 2}}, Kind{"Yuv411", 3, {.horizontal = 4}},
        Kind{"Yuv441", 3, {.vertical = 4}}, Kind{"Yuv410", 3, {.horizontal = 4, .vertical = 2}},
        Kind{"Yuv420Restarts", 3, {.horizontal = 2, .vertical = 2, .restart_interval = 5}},
        Kind{"Yuv444Progressive", 3, {.progressive = true}},
        Kind{"Yuv422Progressive", 3, {.horizontal = 2, .progressive = true}},
        Kind{"Yuv440Progressive", 3, {.vertical = 2, .progressive = true}},
        Kind{"Yuv420Progressive", 3, {.horizontal = 2, .vertical = 2, .progressive = true}},
        Kind{"Rgb", 3, {.rgb = true}}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(Jpeg, PartsOfInkAreEqualToTheWhole) {
  const std::string file = jpeg_file(picture({60, 70}, 4), {.horizontal = 2, .vertical = 2});
  const Part all = decoded(file, ColorOrder::kRgb);
  for (int64_t left = 0; left < 50; ++left) {
    const Box box{left / 3, left, 13, 20};
    EXPECT_EQ(pixels_of(decoded(file, ColorOrder::kRgb, &box), box), pixels_of(all, box)) << left;
  }
}

TEST(Jpeg, HasTheOrderAskedFor) {
  const std::string file = jpeg_file(picture({20, 30}));
  const Box all{0, 0, 20, 30};
  EXPECT_EQ(pixels_of(decoded(file, ColorOrder::kRgb), all),
            pixels_of(whole_jpeg(file, JCS_RGB), all));
  EXPECT_EQ(pixels_of(decoded(file, ColorOrder::kBgr), all),
            pixels_of(whole_jpeg(file, JCS_EXT_BGR), all));
  EXPECT_EQ(pixels_of(decoded(file, ColorOrder::kGray), all),
            pixels_of(whole_jpeg(file, JCS_GRAYSCALE), all));
}

TEST(Jpeg, GreyBecomesColour) {
  const std::string file = jpeg_file(picture({9, 9}, 1));
  const Part part = decoded(file, ColorOrder::kBgr);
  const Image grey = whole_jpeg(file, JCS_GRAYSCALE);
  ASSERT_EQ(part.image.channels, 3);
  for (int c = 0; c < 3; ++c) EXPECT_EQ(part.at(4, 5)[c], *grey.at(4, 5));
}

// Ink that is inverted is light: full ink is 0.
TEST(Jpeg, TakesInkAsAdobeStoresIt) {
  Image image;
  image.resize({16, 16}, 4);
  const auto decode_ink = [&](std::array<unsigned char, 4> ink, ColorOrder order) {
    for (int64_t y = 0; y < 16; ++y)
      for (int64_t x = 0; x < 16; ++x) std::copy_n(ink.data(), 4, image.at(y, x));
    const Part part = decoded(jpeg_file(image, {.quality = 100}), order);
    return std::vector<int>(part.at(3, 3), part.at(3, 3) + part.image.channels);
  };
  const auto near = [](int r, int g, int b) {
    return testing::Pointwise(testing::Truly([](const auto& pair) {
                                return std::abs(std::get<0>(pair) - std::get<1>(pair)) <= 2;
                              }),
                              std::vector<int>{r, g, b});
  };
  EXPECT_THAT(decode_ink({255, 255, 255, 255}, ColorOrder::kRgb), near(255, 255, 255));
  EXPECT_THAT(decode_ink({0, 255, 255, 255}, ColorOrder::kRgb), near(0, 255, 255));
  EXPECT_THAT(decode_ink({0, 255, 255, 255}, ColorOrder::kBgr), near(255, 255, 0));
  EXPECT_THAT(decode_ink({100, 200, 50, 128}, ColorOrder::kRgb), near(50, 100, 25));
  EXPECT_NEAR(decode_ink({0, 255, 255, 255}, ColorOrder::kGray)[0], 179, 2);
}

// Wherever it ends, it is cut short, and the reader goes on with the next file.
TEST(Jpeg, RefusesACutFile) {
  for (const bool progressive : {false, true}) {
    const std::string file =
        jpeg_file(picture({40, 50}), {.horizontal = 2, .vertical = 2, .progressive = progressive});
    JpegReader reader;
    Part part;
    for (size_t size = 2; size + 2 < file.size(); size += 7) {
      const std::string cut = file.substr(0, size);
      EXPECT_THAT(error_of([&] {
                    reader.open(bytes_of(cut));
                    reader.decode({0, 0, 40, 50}, 1, ColorOrder::kBgr, part);
                  }),
                  HasSubstr("the JPEG file is cut short"))
          << size << " of " << file.size() << " bytes";
    }
    reader.open(bytes_of(file));
    reader.decode({0, 0, 40, 50}, 1, ColorOrder::kBgr, part);
    EXPECT_EQ(pixels_of(part, {0, 0, 40, 50}),
              pixels_of(whole_jpeg(file, JCS_EXT_BGR), {0, 0, 40, 50}));
  }
}

// What lies behind the last row of a part is not looked at.
TEST(Jpeg, ReadsNoFurtherThanItHasTo) {
  const std::string file = jpeg_file(picture({200, 50}));
  const Box box{0, 0, 16, 50};
  const std::string cut = file.substr(0, file.size() / 2);
  EXPECT_EQ(pixels_of(decoded(cut, ColorOrder::kBgr, &box), box),
            pixels_of(whole_jpeg(file, JCS_EXT_BGR), box));
}

TEST(Jpeg, RefusesDamagedData) {
  std::string file = jpeg_file(picture({40, 50}));
  for (size_t i = file.size() / 2; i < file.size() / 2 + 40; ++i) file[i] = '\xff';
  EXPECT_THAT(error_of([&] { decoded(file, ColorOrder::kBgr); }),
              StartsWith("the JPEG file is damaged: "));
}

TEST(Jpeg, RefusesAnImageThatIsTooLarge) {
  std::string file = jpeg_file(picture({40, 50}));
  const size_t frame = file.find("\xff\xc0");
  ASSERT_NE(frame, std::string::npos);
  file.replace(frame + 5, 4, "\xff\xdc\xff\xdc");
  EXPECT_EQ(error_of([&] { decoded(file, ColorOrder::kBgr); }),
            "an image of 65500 x 65500 pixels; at most 134217728 can be decoded");
}

// A scan is a few bytes and a pass over the whole image.
TEST(Jpeg, RefusesScansWithoutEnd) {
  const std::string file = jpeg_file(picture({40, 50}), {.separate = true});
  const size_t last = file.rfind("\xff\xda");
  const std::string scan = file.substr(last, file.size() - 2 - last);
  const auto repeated = [&](int times) {
    std::string result = file.substr(0, file.size() - 2);
    for (int i = 0; i < times; ++i) result += scan;
    return result + "\xff\xd9";
  };
  EXPECT_EQ(error_of([&] { decoded(repeated(200), ColorOrder::kBgr); }), "");
  EXPECT_EQ(error_of([&] { decoded(repeated(300), ColorOrder::kBgr); }),
            "the JPEG file is damaged: more than 256 scans");
}

}  // namespace
}  // namespace orepa
