// Frame: what the device has to know of an image of a batch besides its bytes. Positions count from
// 0; ends lie behind the last one.
#pragma once
#include <cstdint>

#include "orepa/parallel.h"

namespace orepa {

struct Frame {
  struct Part {
    int32_t top = 0, bottom = 0, left = 0, right = 0;
    OREPA_HD bool holds(int64_t y, int64_t x) const {
      return y >= top && y < bottom && x >= left && x < right;
    }
  };
  Part image;   // all else is padding
  Part erased;  // nothing where it is empty
  // Which pixel of the mean image is the first one, and whether that is read from right to left.
  int32_t top = 0, left = 0, flip = 0;
  float light[3] = {};  // added to the channels as they are stored
};

}  // namespace orepa
