// The windows of a pool as ONNX and as Caffe have them.
#pragma once
#include <algorithm>
#include <cstdint>
#include <vector>

namespace orepa {

// The windows of a pool along one axis. ONNX pads at the end just as far as the last one reaches:
// so it makes as many as Caffe, which rounds up or down.
struct PoolWindows {
  int64_t in, out, kernel, stride, pad;
  int64_t end_pad() const { return std::max<int64_t>(0, (out - 1) * stride + kernel - in - pad); }
  // Pixels of a window, and those that Caffe's mean counts: `pad` of padding at either end too.
  int64_t pixels(int64_t o) const { return inside(o, 0, in); }
  int64_t counted(int64_t o) const { return inside(o, -pad, in + pad); }
  int64_t inside(int64_t o, int64_t begin, int64_t end) const {
    const int64_t first = o * stride - pad;
    return std::min(first + kernel, end) - std::max(first, begin);
  }
};

// A mean of pixels alone times this is Caffe's. Not every reader knows ONNX's means that count
// padding (OpenCV 4.6 takes no notice), and they would count all of it.
inline std::vector<float> mean_factors(const PoolWindows& rows, const PoolWindows& columns) {
  std::vector<float> factors;
  for (int64_t h = 0; h < rows.out; ++h)
    for (int64_t w = 0; w < columns.out; ++w)
      factors.push_back(static_cast<float>(rows.pixels(h) * columns.pixels(w)) /
                        static_cast<float>(rows.counted(h) * columns.counted(w)));
  return factors;
}

}  // namespace orepa
