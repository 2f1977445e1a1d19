#include "data/photometric.h"

#include <gtest/gtest.h>

#include "tests/data/golden_images.h"
#include "tests/data/image_files.h"

namespace orepa {
namespace {

std::span<unsigned char> pixels_of(Image& image) {
  return {image.pixels.data(), static_cast<size_t>(image.extent.height * image.stride())};
}

Image swapped(Image image) {
  for (int64_t i = 0; i < image.extent.height * image.stride(); i += 3)
    std::swap(image.pixels[static_cast<size_t>(i)], image.pixels[static_cast<size_t>(i) + 2]);
  return image;
}

class Changes : public testing::TestWithParam<std::pair<const char*, Photometric>> {};

TEST_P(Changes, AreWithinALevelOfPillows) {
  const auto [name, what] = GetParam();
  const Image source = golden_image("source");
  int factors = 0;
  for (const std::string& file : golden_names(std::string(name) + "_")) {
    const double factor = std::stod(file.substr(file.find('_') + 1));
    const Image expected = golden_image(file);
    Image rgb = source, bgr = swapped(source);
    adjust(what, factor, ColorOrder::kRgb, pixels_of(rgb));
    adjust(what, factor, ColorOrder::kBgr, pixels_of(bgr));
    EXPECT_LE(largest_difference(rgb, expected), 1) << file;
    EXPECT_EQ(largest_difference(swapped(bgr), rgb), 0) << file;
    EXPECT_GT(largest_difference(rgb, source), 20) << file;
    ++factors;
  }
  EXPECT_EQ(factors, 2);
}

INSTANTIATE_TEST_SUITE_P(OfColour, Changes,
                         testing::Values(std::pair("brightness", Photometric::kBrightness),
                                         std::pair("contrast", Photometric::kContrast),
                                         std::pair("saturation", Photometric::kSaturation),
                                         std::pair("hue", Photometric::kHue)));

TEST(Photometric, GreyHasNoColourToChange) {
  const Image source = picture({9, 13}, 1);
  Image image = source;
  adjust(Photometric::kSaturation, 0.2, ColorOrder::kGray, pixels_of(image));
  adjust(Photometric::kHue, 0.4, ColorOrder::kGray, pixels_of(image));
  EXPECT_EQ(largest_difference(image, source), 0);
  // Without contrast, all of it is its mean.
  int sum = 0;
  for (int64_t i = 0; i < 9 * 13; ++i) sum += source.pixels[static_cast<size_t>(i)];
  adjust(Photometric::kContrast, 0, ColorOrder::kGray, pixels_of(image));
  EXPECT_EQ(*image.at(4, 5), (2 * sum + 9 * 13) / (2 * 9 * 13));
  EXPECT_EQ(*image.at(8, 12), *image.at(0, 0));
}

TEST(Photometric, AFactorOfOneChangesNothing) {
  const Image source = picture({9, 13});
  Image image = source;
  for (const Photometric what :
       {Photometric::kBrightness, Photometric::kContrast, Photometric::kSaturation})
    adjust(what, 1, ColorOrder::kRgb, pixels_of(image));
  EXPECT_EQ(largest_difference(image, source), 0);
}

}  // namespace
}  // namespace orepa
