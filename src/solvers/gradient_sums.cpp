#include "solvers/gradient_sums.h"

#include <algorithm>
#include <numeric>

#include "orepa/parallel.h"

namespace orepa {
namespace {

// A long vector is summed in rows, so that many threads share it.
constexpr int64_t kRow = 4096;

int64_t rows_of(int64_t count) { return (count + kRow - 1) / kRow; }

struct Square {
  const float* x;
  int64_t count;
  OREPA_HD double operator()(int64_t r, int64_t j) const {
    const int64_t i = r * kRow + j;
    const double value = i < count ? x[i] : 0.0f;
    return value * value;
  }
};

}  // namespace

GradientSums::GradientSums(const Parameters& parameters) : device_(parameters.device()) {
  int64_t longest = 0;
  for (const auto& parameter : parameters.all())
    longest = std::max(longest, parameter->value.count());
  partial_ = DeviceMemory(device_, rows_of(longest) * int64_t{sizeof(double)});
}

double GradientSums::squares(const Tensor& gradient) {
  const int64_t rows = rows_of(gradient.count());
  double* partial = static_cast<double*>(partial_.data());
  reduce_rows(device_, rows, kRow, Square{gradient.data, gradient.count()}, partial);
  std::vector<double> sums(static_cast<size_t>(rows));
  device_.copy_to_host(sums.data(), partial, rows * int64_t{sizeof(double)});
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace orepa
