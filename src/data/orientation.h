// Orientation: how an image is turned from the way it is stored to the way it is shown, as EXIF
// says.
#pragma once
#include <span>

#include "data/image.h"

namespace orepa {

// Pixel (y, x) that is shown is stored at (x, y) where they are transposed, else at (y, x), counted
// from the other end of an axis that is reversed.
struct Orientation {
  bool transpose = false, reverse_rows = false, reverse_columns = false;

  bool upright() const { return !transpose && !reverse_rows && !reverse_columns; }
  Extent shown(const Extent& stored) const;
  // Where a box that is shown lies in the image as it is stored, which has this extent.
  Box stored(const Box& shown, const Extent& stored) const;
  bool operator==(const Orientation&) const = default;
};

// Of what is called EXIF, a little TIFF file. Upright where it says nothing that can be understood:
// other readers show such images, too.
Orientation exif_orientation(std::span<const unsigned char> tiff);
// Of the EXIF in a JPEG file.
Orientation jpeg_orientation(std::span<const unsigned char> file);

// Makes `shown` of a box of what is stored, which `part` has.
void turn(const Part& part, const Box& stored, const Orientation& orientation, Image& shown);

}  // namespace orepa
