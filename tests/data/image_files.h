// Images for tests, and files of them, written and read by the libraries without further ado.
#pragma once
#include <string>
#include <vector>

#include "data/image.h"

namespace orepa {

// Something with edges and slopes in every channel, the same every time.
Image picture(const Extent& extent, int64_t channels = 3);

struct JpegOptions {
  int quality = 90;
  // Of the first component; the others have 1 x 1.
  int horizontal = 1, vertical = 1;
  bool progressive = false;
  bool separate = false;  // a scan for each component
  bool rgb = false;       // not YCbCr; of three channels
  int restart_interval = 0;
  int exif = 0;  // the orientation that an APP1 segment says; none where it is 0
};

// Of 1 (grey), 3 (RGB) or 4 (CMYK, as Adobe has it: YCCK, inverted) channels.
std::string jpeg_file(const Image& image, const JpegOptions& options = {});
// The segment that JpegOptions::exif asks for, from its first 0xff on.
std::string exif_segment(int orientation, bool big_endian = false);
// The whole image at 1/denominator; `color_space` is libjpeg's.
Image whole_jpeg(const std::string& file, int color_space, int denominator = 1);

// Pixels of 8 or, where `depth` is 16, of 16 bits: then every byte b becomes b and 255 - b.
// `channels` 1 to 4 are grey, grey and alpha, RGB, RGB and alpha.
std::string png_file(const Image& image, int depth = 8, bool interlaced = false);
// Pixels are indices of RGB colours; one of them may be transparent.
std::string palette_png_file(const Image& indices, const std::vector<unsigned char>& colors,
                             int depth, bool transparent);

// The pixels of a box, row by row.
std::vector<unsigned char> pixels_of(const Part& part, const Box& box);
std::vector<unsigned char> pixels_of(const Image& image, const Box& box);

}  // namespace orepa
