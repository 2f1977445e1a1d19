// Images to JPEG files.
#pragma once
#include <string>

#include "data/image.h"

namespace orepa {

// As a file of `quality` 1 to 100, baseline, with half the resolution for colour, as libjpeg does
// it unless it is told otherwise. REQUIRES: the image is grey or RGB. Throws Error where it is too
// large for the format.
std::string jpeg_bytes(const Image& image, int quality);

}  // namespace orepa
