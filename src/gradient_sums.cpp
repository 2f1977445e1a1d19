#include "gradient_sums.h"

#include <algorithm>
#include <cmath>

#include "orepa/parallel.h"

namespace orepa {
namespace {

// A long vector is summed in rows, so that many threads share it.
constexpr int64_t kRow = 4096;

int64_t rows_of(int64_t count) { return (count + kRow - 1) / kRow; }

struct Square {
  const float* x;
  int64_t count;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const int64_t i = r * kRow + j;
    return i < count ? x[i] * x[i] : 0.0f;
  }
};

// 0 where x is finite, NaN where it is not.
struct TimesZero {
  const float* x;
  int64_t count;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const int64_t i = r * kRow + j;
    return i < count ? x[i] * 0.0f : 0.0f;
  }
};

}  // namespace

GradientSums::GradientSums(const Parameters& parameters) : device_(parameters.device()) {
  int64_t longest = 0;
  for (const auto& parameter : parameters.all())
    longest = std::max(longest, parameter->value.count());
  partial_ = DeviceMemory(device_, rows_of(longest) * int64_t{sizeof(float)});
}

template <class F>
double GradientSums::sum(const Tensor& gradient) {
  const int64_t rows = rows_of(gradient.count());
  float* partial = static_cast<float*>(partial_.data());
  reduce_rows(device_, rows, kRow, F{gradient.data, gradient.count()}, partial);
  double total = 0;
  for (const float value : read_tensor(device_, {partial, {rows}})) total += value;
  return total;
}

bool GradientSums::all_finite(const Tensor& gradient) {
  return std::isfinite(sum<TimesZero>(gradient));
}

double GradientSums::squares(const Tensor& gradient) { return sum<Square>(gradient); }

}  // namespace orepa
