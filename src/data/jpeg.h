// JPEG files, by libjpeg-turbo: no more of them than is asked for.
#pragma once
#include <memory>
#include <span>

#include "data/image.h"

namespace orepa {

// Reads one file at a time, any number of them. What it throws says what is wrong with the file.
class JpegReader {
 public:
  JpegReader();
  ~JpegReader();

  // Begins with a file, which must stay until the next one.
  void open(std::span<const unsigned char> file);
  // As it is stored, whatever EXIF says. At 1/d, it is ceil(extent / d).
  const Extent& extent() const;
  bool gray() const;

  // Decodes the image at 1, 1/2, 1/4 or 1/8 of its size and leaves at least `box` of it in `part`.
  // A pixel of the box has the value that it has where everything is decoded, as libjpeg does it
  // with its slow integer DCT and fancy upsampling; partly sent coefficients are not guessed.
  // Data is read, and found damaged, to the last row of the box, in progressive files to the end.
  void decode(const Box& box, int denominator, ColorOrder order, Part& part);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace orepa
