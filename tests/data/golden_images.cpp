#include "tests/data/golden_images.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

#include "core/input_file.h"
#include "data/png.h"
#include "tests/files.h"

namespace orepa {

Image golden_image(const std::string& name) {
  const std::string file = read_file(source_file("tests/data/golden/" + name + ".png"));
  PngReader reader;
  reader.open({reinterpret_cast<const unsigned char*>(file.data()), file.size()});
  Part part;
  reader.decode(0, reader.extent().height, ColorOrder::kRgb, part);
  return part.image;
}

std::vector<std::string> golden_names(const std::string& beginning) {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(source_file("tests/data/golden")))
    if (entry.path().extension() == ".png" && entry.path().stem().string().starts_with(beginning))
      names.push_back(entry.path().stem().string());
  return names;
}

int largest_difference(const Image& a, const Image& b) {
  EXPECT_EQ(a.extent, b.extent);
  EXPECT_EQ(a.channels, b.channels);
  if (!(a.extent == b.extent) || a.channels != b.channels) return 256;
  int largest = 0;
  for (int64_t i = 0; i < a.extent.height * a.stride(); ++i)
    largest = std::max(
        largest, std::abs(a.pixels[static_cast<size_t>(i)] - b.pixels[static_cast<size_t>(i)]));
  return largest;
}

}  // namespace orepa
