// What ONNX's mean over a pool's windows, which knows pixels alone, is to be multiplied by.
#pragma once
#include <vector>

#include "backend/pool_windows.h"

namespace orepa {

// A mean of pixels alone times this is Caffe's. Not every reader knows ONNX's means that count
// padding (OpenCV 4.6 takes no notice), and they would count all of it.
inline std::vector<float> mean_factors(const PoolWindows& rows, const PoolWindows& columns) {
  const auto pixels = [](const PoolWindows& along, int64_t o) {
    return along.end(o) - along.begin(o);
  };
  std::vector<float> factors;
  for (int64_t h = 0; h < rows.out; ++h)
    for (int64_t w = 0; w < columns.out; ++w)
      factors.push_back(static_cast<float>(pixels(rows, h) * pixels(columns, w)) /
                        static_cast<float>(rows.counted(h) * columns.counted(w)));
  return factors;
}

}  // namespace orepa
