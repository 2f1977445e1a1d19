// The windows of a convolution over any axes as columns, and back.
#pragma once
#include "layers/taps.h"

namespace orepa {

// All axes but that of the channels: those before it, which count samples, and those of a window.
struct WindowAxes {
  static constexpr int kMost = 8;
  struct Axis {
    Taps taps;
    int64_t from, to;  // how far apart neighbours lie in the bottom and in the top
  };
  int samples = 0, count = 0;  // of the axes before the channels, and of all
  Axis axes[kMost];
  int64_t channels, from_channel, to_channel;
  int64_t lines = 1;  // of taps along the last axis

  OREPA_HD const Axis& last() const { return axes[count - 1]; }
  // Of a window, which has tap t of channel c as its number c taps() + t.
  OREPA_HD int64_t taps() const { return lines * last().taps.size; }
};

// Row r is a window.
struct Columns {
  WindowAxes windows;
  const float* x;
  float* y;

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const WindowAxes& w = windows;
    int64_t window[WindowAxes::kMost];
    const float* image = x;
    float* to = y;
    for (int a = w.count - 1; a >= 0; --a) {
      const WindowAxes::Axis& axis = w.axes[a];
      window[a] = r % axis.taps.out;
      r /= axis.taps.out;
      to += window[a] * axis.to;
      if (a < w.samples) image += window[a] * axis.from;
    }
    const Taps last = w.last().taps;
    const int64_t first = last.pixel(window[w.count - 1], 0), step = w.last().from;
    const int64_t channels = w.channels, taps = w.taps();
    const int64_t from_channel = w.from_channel, to_channel = w.to_channel;
    for (int64_t line = 0; line < w.lines; ++line, to += last.size * to_channel) {
      const float* pixels = image;
      bool has_line = true;
      int64_t rest = line;
      for (int a = w.count - 2; a >= w.samples; --a) {
        const Taps& along = w.axes[a].taps;
        const int64_t pixel = along.pixel(window[a], rest % along.size);
        rest /= along.size;
        has_line = has_line && along.is_inside(pixel);
        pixels += has_line ? pixel * w.axes[a].from : 0;
      }
      const bool is_whole = has_line && last.is_inside(first) &&
                            last.is_inside(first + (last.size - 1) * last.dilation);
      for (int64_t c = team.first(); c < channels; c += team.step()) {
        const float* from = pixels + c * from_channel;
        float* column = to + c * taps * to_channel;
        for (int64_t b = 0; b < last.size; ++b) {
          const int64_t pixel = first + b * last.dilation;
          const bool inside = is_whole || (has_line && last.is_inside(pixel));
          column[b * to_channel] = inside ? from[pixel * step] : 0.0f;
        }
      }
    }
  }
};

// Row r is a pixel of x.
struct PixelGradient {
  static constexpr int64_t kColumns = 64;  // channels that are summed at once
  WindowAxes windows;
  const float* dy;
  float* dx;

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const WindowAxes& w = windows;
    int64_t pixel[WindowAxes::kMost];
    const float* image = dy;
    float* to = dx;
    for (int a = w.count - 1; a >= 0; --a) {
      const WindowAxes::Axis& axis = w.axes[a];
      pixel[a] = r % axis.taps.in;
      r /= axis.taps.in;
      to += pixel[a] * axis.from;
      if (a < w.samples) image += pixel[a] * axis.to;
    }
    const int64_t each = w.taps() * w.to_channel;  // from a channel to the next
    for (int64_t begin = 0; begin < w.channels; begin += kColumns)
      sum(pixel, image + begin * each, to + begin * w.from_channel,
          w.channels - begin < kColumns ? w.channels - begin : kColumns, team);
  }

 private:
  template <class Team>
  OREPA_HD void sum(const int64_t* pixel, const float* image, float* to, int64_t columns,
                    Team team) const {
    const WindowAxes& w = windows;
    const Taps last = w.last().taps;
    const int64_t each = w.taps() * w.to_channel;
    float sums[kColumns];
    for (int64_t c = team.first(); c < columns; c += team.step()) sums[c] = 0;
    for (int64_t line = 0; line < w.lines; ++line, image += last.size * w.to_channel) {
      const float* windows_of_line = image;
      bool has_windows = true;
      int64_t rest = line;
      for (int a = w.count - 2; a >= w.samples && has_windows; --a) {
        const Taps& along = w.axes[a].taps;
        const int64_t window = along.window(pixel[a], rest % along.size);
        rest /= along.size;
        has_windows = window >= 0;
        windows_of_line += has_windows ? window * w.axes[a].to : 0;
      }
      for (int64_t b = 0; b < last.size && has_windows; ++b) {
        const int64_t window = last.window(pixel[w.count - 1], b);
        if (window < 0) continue;
        const float* number = windows_of_line + window * w.last().to + b * w.to_channel;
        for (int64_t c = team.first(); c < columns; c += team.step()) sums[c] += number[c * each];
      }
    }
    for (int64_t c = team.first(); c < columns; c += team.step()) to[c * w.from_channel] = sums[c];
  }
};

}  // namespace orepa
