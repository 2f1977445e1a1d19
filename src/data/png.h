// PNG files, by libpng, as 8 bits a channel.
#pragma once
#include <span>
#include <vector>

#include "data/image.h"
#include "data/orientation.h"

namespace orepa {

// Reads one file at a time, any number of them. What it throws says what is wrong with the file.
// Of 16 bits the upper 8 are taken, palettes are looked up, and what is transparent is as opaque as
// the rest, as Pillow's convert("RGB") has it.
class PngReader {
 public:
  // Begins with a file, which must stay until the next one.
  void open(std::span<const unsigned char> file);
  const Extent& extent() const { return extent_; }  // as it is stored, whatever EXIF says
  const Orientation& orientation() const { return orientation_; }
  bool gray() const { return gray_; }
  // Leaves rows [top, top + height) of the image in `part`. Where it is not interlaced, rows below
  // are not looked at.
  void decode(int64_t top, int64_t height, ColorOrder order, Part& part);

 private:
  std::span<const unsigned char> file_;
  Extent extent_;
  Orientation orientation_;
  bool gray_ = false;
  std::vector<unsigned char*> rows_;
};

}  // namespace orepa
