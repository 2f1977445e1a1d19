#include "data/photometric.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "data/luma.h"

namespace orepa {
namespace {

// Where red, green and blue are in a pixel.
struct Channels {
  explicit Channels(ColorOrder order)
      : red(order == ColorOrder::kBgr ? 2 : 0), blue(order == ColorOrder::kBgr ? 0 : 2) {}
  int red, blue;
  static constexpr int green = 1;
};

// As much of `value` as the factor says, and the rest of `other`; cut to a byte, not rounded.
unsigned char blend(int other, int value, float factor) {
  const float mix = static_cast<float>(other) + factor * static_cast<float>(value - other);
  return static_cast<unsigned char>(std::clamp(mix, 0.0f, 255.0f));
}

void blend_with(int other, float factor, std::span<unsigned char> pixels) {
  for (unsigned char& value : pixels) value = blend(other, value, factor);
}

int mean_luma(ColorOrder order, std::span<const unsigned char> pixels) {
  const Channels at(order);
  const size_t step = order == ColorOrder::kGray ? 1 : 3;
  int64_t sum = 0;
  for (size_t i = 0; i < pixels.size(); i += step)
    sum +=
        step == 1 ? pixels[i] : luma(pixels[i + at.red], pixels[i + at.green], pixels[i + at.blue]);
  const auto count = static_cast<double>(pixels.size() / step);
  return static_cast<int>(static_cast<double>(sum) / count + 0.5);
}

void saturate(float factor, ColorOrder order, std::span<unsigned char> pixels) {
  const Channels at(order);
  for (size_t i = 0; i < pixels.size(); i += 3) {
    unsigned char* pixel = &pixels[i];
    const int grey = luma(pixel[at.red], pixel[at.green], pixel[at.blue]);
    for (int c = 0; c < 3; ++c) pixel[c] = blend(grey, pixel[c], factor);
  }
}

// Pixels on their way through hue, saturation and value, which are bytes, too. Each step is a loop
// of its own without branches, so that it is done for many at a time.
class HueBlock {
 public:
  static constexpr size_t kPixels = 64;

  void turn(int shift, const Channels& at, size_t count, unsigned char* pixels) {
    for (size_t i = 0; i < count; ++i) {
      red_[i] = pixels[3 * i + at.red];
      green_[i] = pixels[3 * i + at.green];
      blue_[i] = pixels[3 * i + at.blue];
    }
    split(shift);
    join();
    for (size_t i = 0; i < count; ++i) {
      pixels[3 * i + at.red] = static_cast<unsigned char>(red_[i]);
      pixels[3 * i + at.green] = static_cast<unsigned char>(green_[i]);
      pixels[3 * i + at.blue] = static_cast<unsigned char>(blue_[i]);
    }
  }

 private:
  // Hue 0 to 255 is once around, from red by green and blue. Rounded where Pillow rounds: a hue
  // that is one off can be six levels of a colour.
  void split(int shift) {
    for (size_t i = 0; i < kPixels; ++i) {
      const int red = red_[i], green = green_[i], blue = blue_[i];
      const int most = std::max(red, std::max(green, blue));
      const int range = most - std::min(red, std::min(green, blue));
      const auto divisor = static_cast<float>(std::max(range, 1));
      const float from_red = static_cast<float>(most - red) / divisor;
      const float from_green = static_cast<float>(most - green) / divisor;
      const float from_blue = static_cast<float>(most - blue) / divisor;
      const bool is_red = red == most, is_green = green == most;
      const double start = is_red ? 0.0 : is_green ? 2.0 : 4.0;
      const float up = is_red ? from_blue : is_green ? from_red : from_green;
      const float down = is_red ? from_green : is_green ? from_blue : from_red;
      const auto sixths = static_cast<float>(start + up - down);
      const double turns = sixths / 6.0 + 1.0;
      const auto hue = static_cast<float>(turns >= 1.0 ? turns - 1.0 : turns);
      const float saturation = static_cast<float>(range) / static_cast<float>(std::max(most, 1));
      hue_[i] = ((range == 0 ? 0 : static_cast<int>(hue * 255.0)) + shift) & 255;
      saturation_[i] = static_cast<int>(saturation * 255.0);
      value_[i] = most;
    }
  }

  void join() {
    for (size_t i = 0; i < kPixels; ++i) {
      const int hue = hue_[i] * 6, sector = hue / 255, value = value_[i];
      const float part = static_cast<float>(hue - sector * 255) / 255.0f;
      const float saturation = static_cast<float>(saturation_[i]) / 255.0f;
      const auto level = [&](float share) {
        return static_cast<int>(static_cast<float>(value) * (1.0f - saturation * share) + 0.5f);
      };
      const int least = level(1.0f), falling = level(part), rising = level(1.0f - part);
      // Sector 6 is 0 again, of hue 255.
      const bool s0 = sector == 0 || sector == 6, s1 = sector == 1, s2 = sector == 2,
                 s3 = sector == 3, s4 = sector == 4, s5 = sector == 5;
      red_[i] = s0 || s5 ? value : s1 ? falling : s4 ? rising : least;
      green_[i] = s1 || s2 ? value : s3 ? falling : s0 ? rising : least;
      blue_[i] = s3 || s4 ? value : s5 ? falling : s2 ? rising : least;
    }
  }

  using Numbers = std::array<int, kPixels>;
  Numbers red_{}, green_{}, blue_{}, hue_{}, saturation_{}, value_{};
};

void turn_hue(double factor, ColorOrder order, std::span<unsigned char> pixels) {
  const int shift = static_cast<int>(factor * 255) & 255;
  const Channels at(order);
  HueBlock block;
  for (size_t i = 0; i < pixels.size(); i += 3 * HueBlock::kPixels)
    block.turn(shift, at, std::min(HueBlock::kPixels, (pixels.size() - i) / 3), &pixels[i]);
}

}  // namespace

void adjust(Photometric what, double factor, ColorOrder order, std::span<unsigned char> pixels) {
  const auto share = static_cast<float>(factor);
  switch (what) {
    case Photometric::kBrightness:
      return blend_with(0, share, pixels);
    case Photometric::kContrast:
      return blend_with(mean_luma(order, pixels), share, pixels);
    case Photometric::kSaturation:
      if (order != ColorOrder::kGray) saturate(share, order, pixels);
      return;
    case Photometric::kHue:
      if (order != ColorOrder::kGray) turn_hue(factor, order, pixels);
      return;
  }
}

}  // namespace orepa
