#include "data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

// A function with this is compiled for several instruction sets, of which the best that the
// processor has is called.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__)
#define OREPA_TARGET_CLONES __attribute__((target_clones("default", "avx2")))
#else
#define OREPA_TARGET_CLONES
#endif

namespace orepa {
namespace {

constexpr int kBits = 22;
constexpr int kHalf = 1 << (kBits - 1);

}  // namespace

void Weights::plan(Filter filter, double begin, double end, int64_t size, int64_t first,
                   int64_t count, bool reverse) {
  // Counted from the first pixel of the source, so that the same numbers are rounded as if only
  // this part of it were there.
  const auto origin = static_cast<int64_t>(std::floor(begin));
  const int64_t extent = static_cast<int64_t>(std::ceil(end)) - origin;
  const double offset = begin - static_cast<double>(origin);
  const double scale = (end - begin) / static_cast<double>(size);
  // A triangle reaches so far to either side of its centre.
  const double reach = filter == Filter::kAntialias ? std::max(scale, 1.0) : 1.0;
  taps_ = std::min(static_cast<int64_t>(std::ceil(2 * reach)), extent);
  starts_.resize(static_cast<size_t>(count));
  weights_.resize(static_cast<size_t>(count * taps_));
  exact_.resize(static_cast<size_t>(taps_));
  for (int64_t i = 0; i < count; ++i) {
    const int64_t place = first + (reverse ? count - 1 - i : i);
    const double center = offset + (static_cast<double>(place) + 0.5) * scale;
    const auto from = static_cast<int64_t>(std::max(center - reach + 0.5, 0.0));
    const int64_t start = std::min(from, extent - taps_);
    double sum = 0;
    for (int64_t t = 0; t < taps_; ++t) {
      const double distance = (static_cast<double>(start + t) - center + 0.5) * (1.0 / reach);
      const double weight = std::max(1.0 - std::abs(distance), 0.0);
      exact_[static_cast<size_t>(t)] = weight;
      sum += weight;
    }
    starts_[static_cast<size_t>(i)] = start;
    for (int64_t t = 0; t < taps_; ++t)
      weights_[static_cast<size_t>(i * taps_ + t)] =
          static_cast<int32_t>(exact_[static_cast<size_t>(t)] / sum * (1 << kBits) + 0.5);
  }
  const int64_t least = std::min(starts_.front(), starts_.back());
  first_ = origin + least;
  extent_ = std::max(starts_.front(), starts_.back()) + taps_ - least;
  for (int64_t& start : starts_) start -= least;
}

namespace {

using Byte4 = unsigned char __attribute__((vector_size(4)));
using Int4 = int __attribute__((vector_size(16)));
using Byte16 = unsigned char __attribute__((vector_size(16)));
using Int16 = int __attribute__((vector_size(64)));

// Weights are not negative and add up to 1 but for their rounding, so no sum leaves a byte.
int rounded(int sum) { return (sum + kHalf) >> kBits; }

// One row of `columns` for each of kRows rows. A pixel of 3 or 4 channels is one vector: the fourth
// byte of three is the next pixel's, read in vain and written over.
template <int kChannels, int kRows>
inline __attribute__((always_inline)) void resize_rows(const Weights& columns,
                                                       const unsigned char* from,
                                                       int64_t from_stride, unsigned char* to,
                                                       int64_t to_stride) {
  const int64_t taps = columns.taps(), count = columns.count();
  for (int64_t x = 0; x < count; ++x) {
    const int32_t* weight = columns.weights(x);
    const unsigned char* pixel = from + columns.start(x) * kChannels;
    Int4 sums[kRows] = {};
    for (int64_t t = 0; t < taps; ++t, pixel += kChannels) {
      for (int row = 0; row < kRows; ++row) {
        Byte4 bytes;
        std::memcpy(&bytes, pixel + row * from_stride, sizeof(bytes));
        sums[row] += __builtin_convertvector(bytes, Int4) * weight[t];
      }
    }
    for (int row = 0; row < kRows; ++row) {
      const Byte4 bytes = __builtin_convertvector((sums[row] + kHalf) >> kBits, Byte4);
      std::memcpy(to + row * to_stride + x * kChannels, &bytes, sizeof(bytes));
    }
  }
}

template <int kChannels>
inline __attribute__((always_inline)) void resize_pixels(const Weights& columns, int64_t rows,
                                                         const unsigned char* from,
                                                         int64_t from_stride, unsigned char* to,
                                                         int64_t to_stride) {
  constexpr int kRows = 4;
  int64_t y = 0;
  for (; y + kRows <= rows; y += kRows)
    resize_rows<kChannels, kRows>(columns, from + y * from_stride, from_stride, to + y * to_stride,
                                  to_stride);
  for (; y < rows; ++y)
    resize_rows<kChannels, 1>(columns, from + y * from_stride, from_stride, to + y * to_stride,
                              to_stride);
}

OREPA_TARGET_CLONES
void resize_columns(const Weights& columns, int64_t rows, int64_t channels,
                    const unsigned char* from, int64_t from_stride, unsigned char* to,
                    int64_t to_stride) {
  if (channels == 3) return resize_pixels<3>(columns, rows, from, from_stride, to, to_stride);
  if (channels == 4) return resize_pixels<4>(columns, rows, from, from_stride, to, to_stride);
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < columns.count(); ++x)
      for (int64_t c = 0; c < channels; ++c) {
        const unsigned char* pixel = from + y * from_stride + columns.start(x) * channels + c;
        int sum = 0;
        for (int64_t t = 0; t < columns.taps(); ++t)
          sum += pixel[t * channels] * columns.weights(x)[t];
        to[y * to_stride + x * channels + c] = static_cast<unsigned char>(rounded(sum));
      }
}

// REQUIRES: rows of `from` go on to the next multiple of 16 bytes.
OREPA_TARGET_CLONES
void resize_rows_of_bytes(const Weights& rows, int64_t bytes, const unsigned char* from,
                          int64_t from_stride, unsigned char* to, int64_t to_stride) {
  constexpr int64_t kBlock = sizeof(Byte16);
  const int64_t taps = rows.taps();
  for (int64_t y = 0; y < rows.count(); ++y, to += to_stride) {
    const unsigned char* top = from + rows.start(y) * from_stride;
    const int32_t* weight = rows.weights(y);
    for (int64_t x = 0; x < bytes; x += kBlock) {
      Int16 sums = {};
      for (int64_t t = 0; t < taps; ++t) {
        Byte16 block;
        std::memcpy(&block, top + t * from_stride + x, sizeof(block));
        sums += __builtin_convertvector(block, Int16) * weight[t];
      }
      const Byte16 block = __builtin_convertvector((sums + kHalf) >> kBits, Byte16);
      std::memcpy(to + x, &block, static_cast<size_t>(std::min(bytes - x, kBlock)));
    }
  }
}

}  // namespace

Box Resampler::plan(Filter filter, const Region& region, const Extent& size, const Box& seen,
                    bool flip) {
  rows_.plan(filter, region.top, region.top + region.height, size.height, seen.top, seen.height,
             false);
  columns_.plan(filter, region.left, region.left + region.width, size.width, seen.left, seen.width,
                flip);
  box_ = {rows_.first(), columns_.first(), rows_.extent(), columns_.extent()};
  return box_;
}

void Resampler::apply(const Part& part, unsigned char* out, int64_t stride) {
  const int64_t channels = part.image.channels, bytes = columns_.count() * channels;
  const int64_t narrow_stride = (bytes + Image::kSlack - 1) / Image::kSlack * Image::kSlack;
  narrow_.resize(static_cast<size_t>(box_.height * narrow_stride + Image::kSlack));
  resize_columns(columns_, box_.height, channels, part.at(box_.top, box_.left), part.image.stride(),
                 narrow_.data(), narrow_stride);
  resize_rows_of_bytes(rows_, bytes, narrow_.data(), narrow_stride, out, stride);
}

}  // namespace orepa
