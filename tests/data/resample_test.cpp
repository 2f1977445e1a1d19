#include "data/resample.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <sstream>

#include "tests/data/golden_images.h"
#include "tests/data/image_files.h"
#include "tests/files.h"

namespace orepa {
namespace {

// A window of a region resized, of as much of the image as that takes and no more.
Image resized(const Image& image, Filter filter, const Box& region, const Extent& size,
              const Box& window, bool flip = false) {
  Resampler resampler;
  const Box box =
      resampler.plan(filter,
                     {static_cast<double>(region.top), static_cast<double>(region.left),
                      static_cast<double>(region.height), static_cast<double>(region.width)},
                     size, window, flip);
  Part part;
  part.top = box.top;
  part.left = box.left;
  part.image.resize(box.extent(), image.channels);
  const std::vector<unsigned char> pixels = pixels_of(image, box);
  std::copy(pixels.begin(), pixels.end(), part.image.pixels.begin());
  Image result;
  result.resize(window.extent(), image.channels);
  resampler.apply(part, result.pixels.data(), result.stride());
  return result;
}

Box whole(const Extent& extent) { return {0, 0, extent.height, extent.width}; }

void compare_with_golden(const std::string& name, Filter filter, int most) {
  const Image source = golden_image("source");
  int views = 0;
  for (const std::string& file : golden_names(name)) {
    std::istringstream numbers(file.substr(name.size()));
    Box region;
    Extent size;
    char bar;
    numbers >> bar >> region.top >> bar >> region.left >> bar >> region.height >> bar >>
        region.width >> bar >> size.height >> bar >> size.width;
    ASSERT_FALSE(numbers.fail()) << file;
    EXPECT_LE(
        largest_difference(resized(source, filter, region, size, whole(size)), golden_image(file)),
        most)
        << file;
    ++views;
  }
  EXPECT_EQ(views, 5);
}

TEST(Resample, AntialiasIsPillowsBitForBit) {
  compare_with_golden("antialias", Filter::kAntialias, 0);
}

TEST(Resample, BilinearIsWithinALevelOfTorchs) {
  compare_with_golden("bilinear", Filter::kBilinear, 1);
}

// Of rows and columns that are seen, and where it is flipped, nothing is another number.
TEST(Resample, AWindowIsPartOfTheWhole) {
  const Image image = picture({50, 61});
  const Box region{3, 5, 40, 51};
  for (const Extent size : {Extent{17, 20}, Extent{80, 99}, Extent{40, 20}})
    for (const Filter filter : {Filter::kAntialias, Filter::kBilinear}) {
      const Image all = resized(image, filter, region, size, whole(size));
      for (const Box window :
           {Box{0, 0, 1, 1}, Box{2, 3, 11, 13}, Box{size.height - 5, size.width - 7, 5, 7}}) {
        EXPECT_EQ(pixels_of(resized(image, filter, region, size, window), whole(window.extent())),
                  pixels_of(all, window));
        const Image flipped = resized(image, filter, region, size, window, true);
        for (int64_t x = 0; x < window.width; ++x)
          EXPECT_EQ(
              pixels_of(flipped, {0, x, window.height, 1}),
              pixels_of(all, {window.top, window.left + window.width - 1 - x, window.height, 1}));
      }
    }
}

// Three and four channels are vectors, others are not.
TEST(Resample, EveryChannelIsAnImageOfItsOwn) {
  const Extent extent{45, 53}, size{23, 31};
  for (int64_t channels = 1; channels <= 5; ++channels) {
    const Image image = picture(extent, channels);
    const Image result = resized(image, Filter::kAntialias, whole(extent), size, whole(size));
    for (int64_t c = 0; c < channels; ++c) {
      Image alone;
      alone.resize(extent, 1);
      for (int64_t y = 0; y < extent.height; ++y)
        for (int64_t x = 0; x < extent.width; ++x) *alone.at(y, x) = image.at(y, x)[c];
      const Image expected = resized(alone, Filter::kAntialias, whole(extent), size, whole(size));
      for (int64_t y = 0; y < size.height; ++y)
        for (int64_t x = 0; x < size.width; ++x)
          ASSERT_EQ(result.at(y, x)[c], *expected.at(y, x)) << channels << " channels, " << c;
    }
  }
}

// White stays white, whatever its weights add up to.
TEST(Resample, NoSumLeavesAByte) {
  Image white;
  white.resize({997, 3}, 3);
  std::fill(white.pixels.begin(), white.pixels.end(), 255);
  for (const int64_t height : {1, 2, 7, 331, 996, 998, 2000}) {
    const Extent size{height, 5};
    const Image result = resized(white, Filter::kAntialias, whole(white.extent), size, whole(size));
    const std::vector<unsigned char> pixels = pixels_of(result, whole(size));
    EXPECT_EQ(std::count(pixels.begin(), pixels.end(), 255), std::ssize(pixels)) << height;
  }
}

}  // namespace
}  // namespace orepa
