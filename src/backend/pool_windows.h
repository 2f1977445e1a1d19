// The windows of a pool, for whoever pools by a loop of its own, and for ONNX.
#pragma once
#include <cstdint>

#include "orepa/device.h"
#include "orepa/numbers.h"

namespace orepa {

// Along height or width.
struct PoolWindows {
  int64_t in, out, kernel, stride, pad;

  static PoolWindows along(const PoolingGeometry& g, int axis) {
    return {g.input[2 + axis], g.output[2 + axis], g.kernel[axis], g.stride[axis], g.pad[axis]};
  }

  // The pixels [begin, end) of window `o`; none where it lies in the padding.
  OREPA_HD int64_t begin(int64_t o) const { return larger(o * stride - pad, 0); }
  OREPA_HD int64_t end(int64_t o) const { return smaller(o * stride - pad + kernel, in); }
  // How many pixels and how much padding, `pad` at either end, Caffe's mean of window `o` counts.
  OREPA_HD int64_t counted(int64_t o) const {
    return smaller(o * stride + kernel, in + 2 * pad) - o * stride;
  }
  // How far the last one reaches beyond the image.
  int64_t end_pad() const { return larger(0, (out - 1) * stride - pad + kernel - in); }
  // The windows [first, past) over pixel `i`.
  OREPA_HD int64_t first(int64_t i) const {
    const int64_t beyond = i + pad - kernel;
    return beyond < 0 ? 0 : beyond / stride + 1;
  }
  OREPA_HD int64_t past(int64_t i) const { return smaller((i + pad) / stride + 1, out); }

 private:
  OREPA_HD static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
  OREPA_HD static int64_t larger(int64_t a, int64_t b) { return a > b ? a : b; }
};

// Of a pool that takes one pixel of each window, the winner: a pixel of its plane, -1 for none. Row
// r is a pixel of x, which gathers from the windows over it: the same order in every run.
struct WinnerGradient {
  PoolWindows h, w;
  int64_t channels;
  Numbers dy, dx;
  const int32_t* winner;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    const int64_t pixel = r % (h.in * w.in), plane = r / (h.in * w.in) * h.out;
    const int64_t i = pixel / w.in, j = pixel % w.in;
    float sum = 0;
    for (int64_t oh = h.first(i); oh < h.past(i); ++oh)
      for (int64_t ow = w.first(j); ow < w.past(j); ++ow) {
        const int64_t out = ((plane + oh) * w.out + ow) * channels + c;
        if (winner[out] == pixel) sum += dy[out];
      }
    dx.set(r * channels + c, sum);
  }
};

}  // namespace orepa
