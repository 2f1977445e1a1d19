// MeanImage: the mean of a set's images, pixel by pixel, as Caffe keeps it in a file.
#pragma once
#include <string>
#include <vector>

#include "data/image.h"

namespace orepa {

struct MeanImage {
  int64_t channels = 0;
  Extent extent;
  std::vector<float> values;  // C, H, W
};

// A .binaryproto: one BlobProto, in its old form (num, channels, height, width) or with a shape.
// Throws Error that names the file.
MeanImage read_mean_image(const std::string& path);

}  // namespace orepa
