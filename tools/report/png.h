// Small pictures for a page, as data URIs.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace orepa::tool {

struct Picture {
  int64_t channels = 1, height = 0, width = 0;  // 1: grey, 3: red, green, blue
  std::vector<uint8_t> bytes;                   // height x width x channels
};

// A picture of a blob's sample, C x H x W in Caffe's order. Its least number becomes black, its
// largest white. What is wider or higher than `largest` is shrunk by a whole factor. Other numbers
// of channels than 1 and 3 show the first one alone.
Picture picture_of(const float* values, int64_t channels, int64_t height, int64_t width,
                   int64_t largest);

// Of a picture of 3 channels; a grey one stays as it is.
void swap_red_and_blue(Picture& picture);

std::string png_of(const Picture& picture);
std::string base64(const std::string& bytes);
// "data:image/png;base64,..."
std::string data_uri(const Picture& picture);

}  // namespace orepa::tool
