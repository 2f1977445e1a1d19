// The grey of a colour: ITU-R BT.601, rounded as Pillow does.
#pragma once

namespace orepa {

inline unsigned char luma(int red, int green, int blue) {
  return static_cast<unsigned char>((red * 19595 + green * 38470 + blue * 7471 + 0x8000) >> 16);
}

}  // namespace orepa
