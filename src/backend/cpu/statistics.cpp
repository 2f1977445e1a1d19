#include "backend/cpu/statistics.h"

#include <algorithm>
#include <vector>

#include "orepa/numbers.h"

namespace orepa::cpu {
namespace {

constexpr int64_t kRows = 64, kColumns = 64;  // of a block, which stays in the cache
constexpr int64_t kParts = 32;                // of the rows, at most; so many threads have work
constexpr int64_t kRowsOfPart = 4 * kRows;    // at least, or summing up the parts would take longer

float value(float number) { return number; }
float value(BFloat16 number) { return number.value(); }

struct Moments {
  double mean = 0, squares = 0;  // the sum of squared deviations

  // With those of `more` numbers, which come in addition to `count` (Chan, Golub and LeVeque 1983).
  void add(double count, const Moments& other, double more) {
    const double delta = other.mean - mean, share = more / (count + more);
    mean += delta * share;
    squares += other.squares + delta * delta * count * share;
  }
};

// `width` columns of `rows` rows, which are `stride` numbers apart, into moments[0..width).
// Inlined where the width is a constant, so that sums are in registers.
template <class T>
inline void block(const T* x, int64_t rows, int64_t stride, int64_t width, double before,
                  Moments* moments) {
  float mean[kColumns] = {}, squares[kColumns] = {};
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; ++c) mean[c] += value(x[r * stride + c]);
  for (int64_t c = 0; c < width; ++c) mean[c] /= static_cast<float>(rows);
  for (int64_t r = 0; r < rows; ++r)
    for (int64_t c = 0; c < width; ++c) {
      const float deviation = value(x[r * stride + c]) - mean[c];
      squares[c] += deviation * deviation;
    }
  for (int64_t c = 0; c < width; ++c)
    moments[c].add(before, {mean[c], squares[c]}, static_cast<double>(rows));
}

template <class T>
void matrix(const T* x, int64_t rows, int64_t columns, Moments* moments) {
  for (int64_t r = 0; r < rows; r += kRows)
    for (int64_t c = 0; c < columns; c += kColumns) {
      const T* corner = x + r * columns + c;
      const int64_t count = std::min(kRows, rows - r), width = std::min(kColumns, columns - c);
      const auto before = static_cast<double>(r);
      if (width == kColumns)
        block(corner, count, columns, kColumns, before, moments + c);
      else
        block(corner, count, columns, width, before, moments + c);
    }
}

// Channels are columns.
template <class T>
std::vector<Moments> of_columns(const T* x, int64_t rows, int64_t columns) {
  const int64_t each = std::max((rows + kParts - 1) / kParts, kRowsOfPart);  // rows of a part
  const int64_t parts = (rows + each - 1) / each;
  std::vector<Moments> moments(static_cast<size_t>(parts * columns));
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < parts; ++p)
    matrix(x + p * each * columns, std::min(each, rows - p * each), columns,
           &moments[static_cast<size_t>(p * columns)]);
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < columns; ++c)
    for (int64_t p = 1; p < parts; ++p)
      moments[static_cast<size_t>(c)].add(static_cast<double>(p * each),
                                          moments[static_cast<size_t>(p * columns + c)],
                                          static_cast<double>(std::min(each, rows - p * each)));
  return moments;
}

// A channel is `inner` numbers in a row, in every sample.
template <class T>
std::vector<Moments> of_runs(const T* x, int64_t samples, int64_t channels, int64_t inner) {
  std::vector<Moments> moments(static_cast<size_t>(channels));
#pragma omp parallel for schedule(static)
  for (int64_t c = 0; c < channels; ++c)
    for (int64_t n = 0; n < samples; ++n)
      for (int64_t i = 0; i < inner; ++i)
        moments[static_cast<size_t>(c)].add(static_cast<double>(n * inner + i),
                                            {value(x[(n * channels + c) * inner + i]), 0}, 1);
  return moments;
}

template <class T>
std::vector<Moments> of_channels(const Shape& shape, const T* x) {
  const int64_t channels = shape[1], inner = shape.count(2, shape.rank());
  return shape.rank() == 4 || shape.rank() == 2 ? of_columns(x, shape[0] * inner, channels)
                                                : of_runs(x, shape[0], channels, inner);
}

}  // namespace

void channel_statistics(const Shape& shape, DType type, const void* x, float* mean,
                        float* variance) {
  const int64_t channels = shape[1];
  const auto values = static_cast<double>(shape.count() / channels);
  const std::vector<Moments> moments = type == DType::kFloat32
                                           ? of_channels(shape, static_cast<const float*>(x))
                                           : of_channels(shape, static_cast<const BFloat16*>(x));
  for (int64_t c = 0; c < channels; ++c) {
    mean[c] = static_cast<float>(moments[static_cast<size_t>(c)].mean);
    variance[c] = static_cast<float>(moments[static_cast<size_t>(c)].squares / values);
  }
}

}  // namespace orepa::cpu
