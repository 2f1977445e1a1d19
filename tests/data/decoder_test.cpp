#include "data/decoder.h"

#include <gmock/gmock.h>
#include <jpeglib.h>

#include "data/orientation.h"
#include "tests/data/golden_images.h"
#include "tests/data/image_files.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

Record file_record(const std::string& file) {
  Record record;
  record.kind = Record::Kind::kFile;
  record.buffer.assign(file.begin(), file.end());
  record.content = record.buffer;
  return record;
}

// C, H, W of an image.
Record pixel_record(const Image& image) {
  Record record;
  record.channels = image.channels;
  record.height = image.extent.height;
  record.width = image.extent.width;
  for (int64_t c = 0; c < image.channels; ++c)
    for (int64_t y = 0; y < record.height; ++y)
      for (int64_t x = 0; x < record.width; ++x) record.buffer.push_back(image.at(y, x)[c]);
  record.content = record.buffer;
  return record;
}

View view_of(const Box& region, const Extent& size, const Box& window, bool flip = false,
             Filter filter = Filter::kAntialias) {
  View view;
  view.region = region;
  view.size = size;
  view.window = window;
  view.flip = flip;
  view.filter = filter;
  return view;
}
View view_of(const Box& region, const Extent& size) {
  return view_of(region, size, {0, 0, size.height, size.width});
}

Image seen(Decoder& decoder, const View& view) {
  Image image;
  image.resize(view.window.extent(), decoder.channels());
  // Bytes behind its end are not the decoder's.
  std::fill(image.pixels.begin(), image.pixels.end(), 77);
  decoder.decode(view, image.pixels.data());
  EXPECT_EQ(std::count(image.pixels.end() - Image::kSlack, image.pixels.end(), 77), Image::kSlack);
  return image;
}

Image seen(const Record& record, const View& view, const DecoderOptions& options = {}) {
  Decoder decoder(options);
  decoder.open(record);
  return seen(decoder, view);
}

std::string refusal(const std::string& file) {
  return error_of([&] {
    Decoder decoder({});
    decoder.open(file_record(file));
  });
}

TEST(Decoder, NamesWhatItCannotRead) {
  EXPECT_EQ(refusal(""), "expected a JPEG or PNG file, got an empty one");
  EXPECT_EQ(refusal("GIF89a..."), "expected a JPEG or PNG file, got one of GIF");
  EXPECT_EQ(refusal("RIFF....WEBP"), "expected a JPEG or PNG file, got one of WebP");
  EXPECT_EQ(refusal("RIFF....WAVE"),
            "expected a JPEG or PNG file, got what begins with the bytes 52 49 46 46 2e 2e 2e 2e");
  EXPECT_EQ(refusal("BM...."), "expected a JPEG or PNG file, got one of BMP");
  EXPECT_EQ(refusal("\xff\xd8"),
            "expected a JPEG or PNG file, got what begins with the bytes ff d8");
  Record numbers;
  numbers.kind = Record::Kind::kNumbers;
  Decoder decoder({});
  EXPECT_EQ(error_of([&] { decoder.open(numbers); }),
            "expected a JPEG or PNG file or bytes, got numbers of 32 bits");
}

// All that a window shows, where it hangs over and where it does not, in every kind of record.
TEST(Decoder, ShowsAWindow) {
  const Image image = picture({13, 17});
  const Record records[] = {pixel_record(image), file_record(png_file(image))};
  for (const Record& record : records)
    for (const bool flip : {false, true})
      for (const Box window : {Box{0, 0, 8, 9}, Box{-2, -3, 12, 15}, Box{5, 6, 9, 10},
                               Box{1, 2, 3, 4}, Box{-9, 0, 5, 5}, Box{0, 9, 2, 3}}) {
        const Box region{2, 4, 8, 9};
        const Image got = seen(record, view_of(region, region.extent(), window, flip),
                               {.order = ColorOrder::kRgb});
        for (int64_t y = 0; y < window.height; ++y)
          for (int64_t x = 0; x < window.width; ++x) {
            const int64_t row = window.top + y;
            const int64_t column = window.left + (flip ? window.width - 1 - x : x);
            const bool inside = row >= 0 && row < 8 && column >= 0 && column < 9;
            for (int64_t c = 0; c < 3; ++c)
              ASSERT_EQ(got.at(y, x)[c],
                        inside ? image.at(row + region.top, column + region.left)[c] : 0);
          }
      }
}

TEST(Decoder, PadsWhatIsResized) {
  const Image image = picture({40, 50});
  const Record record = pixel_record(image);
  const Box region{3, 4, 30, 41}, all{0, 0, 20, 24}, window{-2, -3, 25, 30};
  for (const Filter filter : {Filter::kAntialias, Filter::kBilinear})
    for (const bool flip : {false, true}) {
      const Image inner = seen(record, view_of(region, {20, 24}, all, flip, filter));
      const Image outer = seen(record, view_of(region, {20, 24}, window, flip, filter));
      const int64_t left = flip ? 3 : 3;
      EXPECT_EQ(pixels_of(outer, {2, left, 20, 24}), pixels_of(inner, all));
      for (const Box padding :
           {Box{0, 0, 2, 30}, Box{22, 0, 3, 30}, Box{0, 0, 25, 3}, Box{0, 27, 25, 3}}) {
        const std::vector<unsigned char> pixels = pixels_of(outer, padding);
        EXPECT_EQ(std::count(pixels.begin(), pixels.end(), 0), std::ssize(pixels));
      }
    }
}

TEST(Decoder, RecordsOfPixelsKeepTheirChannels) {
  for (const int64_t channels : {1, 2, 3, 4, 7}) {
    const Record record = pixel_record(picture({8, 9}, channels));
    Decoder decoder({.order = ColorOrder::kGray});
    decoder.open(record);
    EXPECT_EQ(decoder.channels(), channels);
    EXPECT_EQ(decoder.extent(), (Extent{8, 9}));
    EXPECT_EQ(
        largest_difference(seen(decoder, view_of({0, 0, 8, 9}, {8, 9})), picture({8, 9}, channels)),
        0);
  }
}

TEST(Decoder, TellsWhetherAFileIsGrey) {
  Decoder decoder({});
  const auto stored_channels = [&](const Record& record) {
    decoder.open(record);
    return decoder.stored_channels();
  };
  for (const bool color : {false, true}) {
    const Image image = picture({8, 9}, color ? 3 : 1), alpha = picture({8, 9}, color ? 4 : 2);
    EXPECT_EQ(stored_channels(file_record(jpeg_file(image))), color ? 3 : 1);
    EXPECT_EQ(stored_channels(file_record(png_file(image))), color ? 3 : 1);
    EXPECT_EQ(stored_channels(file_record(png_file(alpha))), color ? 3 : 1);
    EXPECT_EQ(decoder.channels(), 3);
  }
  EXPECT_EQ(stored_channels(pixel_record(picture({8, 9}, 2))), 2);
}

// Parts of an image that is turned, at full size: each is a part of the whole, turned.
TEST(Decoder, TurnsAsExifSays) {
  const Image image = picture({41, 67});
  const std::string upright = jpeg_file(image, {.horizontal = 2, .vertical = 2});
  const Part stored{whole_jpeg(upright, JCS_EXT_BGR), 0, 0};
  for (int value = 1; value <= 8; ++value) {
    const std::string file = jpeg_file(image, {.horizontal = 2, .vertical = 2, .exif = value});
    const Record record = file_record(file);
    Decoder decoder({});
    decoder.open(record);
    const Orientation orientation = jpeg_orientation(record.content);
    ASSERT_EQ(decoder.extent(), orientation.shown({41, 67}));
    Image whole;
    turn(stored, {0, 0, 41, 67}, orientation, whole);
    for (int64_t i = 0; i < 24; ++i) {
      const Box box{i, 23 - i, 15, 17};
      EXPECT_EQ(pixels_of(seen(decoder, view_of(box, box.extent())), {0, 0, 15, 17}),
                pixels_of(whole, box))
          << value;
    }
  }
}

double mean_difference(const Image& a, const Image& b) {
  int64_t sum = 0;
  const int64_t count = a.extent.height * a.stride();
  for (int64_t i = 0; i < count; ++i)
    sum += std::abs(a.pixels[static_cast<size_t>(i)] - b.pixels[static_cast<size_t>(i)]);
  return static_cast<double>(sum) / static_cast<double>(count);
}

// Slopes alone: an image that scaled decoding and resizing make the same of, if it stays in place.
Image slopes(const Extent& extent) {
  Image image;
  image.resize(extent, 3);
  for (int64_t y = 0; y < extent.height; ++y)
    for (int64_t x = 0; x < extent.width; ++x)
      for (int64_t c = 0; c < 3; ++c)
        image.at(y, x)[c] = static_cast<unsigned char>(c == 0 ? x : c == 1 ? y : (x + y) / 2);
  return image;
}

// Sides are no multiples of 8, so that an axis that is reversed begins with a part of a pixel. A
// shift of a quarter of a pixel would show: a pixel of the result is 4 to 9 levels.
TEST(Decoder, ScaledDecodingStaysInPlace) {
  for (int value = 1; value <= 8; ++value) {
    const Record record =
        file_record(jpeg_file(slopes({203, 237}), {.quality = 100, .exif = value}));
    Decoder exact({.exact = true}), scaled({});
    exact.open(record);
    scaled.open(record);
    const Extent all = exact.extent();
    for (const View& view : {view_of({0, 0, all.height, all.width}, {25, 25}),
                             view_of({5, 9, all.height - 14, all.width - 11}, {40, 44}),
                             view_of({7, 3, 90, 94}, {40, 47})}) {
      const Image a = seen(exact, view), b = seen(scaled, view);
      EXPECT_LT(mean_difference(a, b), 0.7) << value;
      EXPECT_GT(mean_difference(a, b), 0) << value << ": was it decoded at a smaller size?";
    }
  }
}

// At 1/2 where the view shrinks to half or less in both directions, and not before.
TEST(Decoder, DecodesNoSmallerThanItIsSeen) {
  const Record record = file_record(jpeg_file(picture({100, 120})));
  const auto is_scaled = [&](const Box& region, const Extent& size, Filter filter) {
    const Box window{0, 0, size.height, size.width};
    const View view = view_of(region, size, window, false, filter);
    return largest_difference(seen(record, view), seen(record, view, {.exact = true})) > 0;
  };
  const Box region{0, 0, 100, 120};
  EXPECT_TRUE(is_scaled(region, {50, 60}, Filter::kAntialias));
  EXPECT_FALSE(is_scaled(region, {51, 60}, Filter::kAntialias));
  EXPECT_FALSE(is_scaled(region, {50, 61}, Filter::kAntialias));
  EXPECT_FALSE(is_scaled(region, {100, 120}, Filter::kAntialias));
  // Four neighbours of the whole image, not of a smaller one.
  EXPECT_FALSE(is_scaled(region, {50, 60}, Filter::kBilinear));
}

// Image after image, of every kind and size, through the same buffers.
TEST(Decoder, IsUsedTimeAndAgain) {
  const Image small = picture({20, 30}), large = picture({90, 70});
  const Record records[] = {file_record(jpeg_file(large)),
                            file_record(png_file(small)),
                            pixel_record(large),
                            file_record(jpeg_file(small, {.exif = 6})),
                            file_record(png_file(large, 8, true)),
                            file_record(jpeg_file(picture({33, 44}, 1), {.progressive = true})),
                            file_record(jpeg_file(picture({33, 44}, 4)))};
  Decoder decoder({});
  for (int round = 0; round < 3; ++round)
    for (const Record& record : records) {
      decoder.open(record);
      const Extent all = decoder.extent();
      const View view = view_of({0, 0, all.height, all.width}, {13, 15});
      EXPECT_EQ(largest_difference(seen(decoder, view), seen(record, view)), 0);
      EXPECT_EQ(largest_difference(seen(decoder, view), seen(record, view)), 0);
    }
}

// An Error of one file is none of the next.
TEST(Decoder, GoesOnBehindADamagedFile) {
  const std::string file = jpeg_file(picture({40, 50}));
  const Record whole = file_record(file), cut = file_record(file.substr(0, file.size() / 2));
  const View view = view_of({0, 0, 40, 50}, {30, 30});
  Decoder decoder({});
  decoder.open(whole);
  const Image expected = seen(decoder, view);
  decoder.open(cut);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(error_of([&] { seen(decoder, view); }), "the JPEG file is cut short");
  decoder.open(whole);
  EXPECT_EQ(largest_difference(seen(decoder, view), expected), 0);
}

TEST(Decoder, RefusesARegionOutside) {
  const Record record = pixel_record(picture({8, 9}));
  EXPECT_EQ(error_of([&] {
              seen(record, view_of({1, 0, 8, 9}, {8, 9}));
            }),
            "a region of 8 x 9 at (1, 0) of an image of 8 x 9");
}

}  // namespace
}  // namespace orepa
