// What Pillow and torchvision make of an image (tests/data/golden, written by make.py there).
#pragma once
#include <string>
#include <vector>

#include "data/image.h"

namespace orepa {

Image golden_image(const std::string& name);  // RGB
// The names that begin with this.
std::vector<std::string> golden_names(const std::string& beginning);
// REQUIRES: they have the same extent and number of channels; the test fails where they do not.
int largest_difference(const Image& a, const Image& b);

}  // namespace orepa
