#include "data/resample.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#ifdef __x86_64__
#include <immintrin.h>
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

// Rows of bytes, `stride` from one to the next.
struct ConstRows {
  const unsigned char* bytes;
  int64_t stride;
  const unsigned char* operator[](int64_t y) const { return bytes + y * stride; }
};
struct Rows {
  unsigned char* bytes;
  int64_t stride;
  unsigned char* operator[](int64_t y) const { return bytes + y * stride; }
};

// Weights are not negative and add up to 1 but for their rounding, so no sum leaves a byte.
unsigned char rounded(int sum) { return static_cast<unsigned char>((sum + kHalf) >> kBits); }

// Of every row the pixels that `columns` tells.
void resize_columns(const Weights& columns, int64_t rows, int64_t channels, const ConstRows& from,
                    const Rows& to) {
  for (int64_t y = 0; y < rows; ++y)
    for (int64_t x = 0; x < columns.count(); ++x)
      for (int64_t c = 0; c < channels; ++c) {
        const unsigned char* pixel = from[y] + columns.start(x) * channels + c;
        int sum = 0;
        for (int64_t t = 0; t < columns.taps(); ++t)
          sum += pixel[t * channels] * columns.weights(x)[t];
        to[y][x * channels + c] = rounded(sum);
      }
}

// The rows that `rows` tells, bytes [first, bytes) of each.
void resize_rows(const Weights& rows, int64_t first, int64_t bytes, const ConstRows& from,
                 const Rows& to) {
  for (int64_t y = 0; y < rows.count(); ++y)
    for (int64_t x = first; x < bytes; ++x) {
      int sum = 0;
      for (int64_t t = 0; t < rows.taps(); ++t)
        sum += from[rows.start(y) + t][x] * rows.weights(y)[t];
      to[y][x] = rounded(sum);
    }
}

#ifdef __x86_64__
// The same for processors with AVX2; GCC makes no such code of the loops above.

const bool kHasAvx2 = __builtin_cpu_supports("avx2");

// A pixel of 3 or 4 bytes is a vector of 4 numbers: the fourth of three is the next pixel's, read
// in vain and written over.
template <int kRows>
__attribute__((target("avx2"))) void resize_columns_avx2(const Weights& columns, int64_t channels,
                                                         const ConstRows& from, const Rows& to) {
  const __m128i half = _mm_set1_epi32(kHalf);
  const __m128i lowest_bytes =
      _mm_setr_epi8(0, 4, 8, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
  const int64_t count = columns.count(), taps = columns.taps();
  for (int64_t x = 0; x < count; ++x) {
    const int32_t* weights = columns.weights(x);
    const unsigned char* pixel = from[0] + columns.start(x) * channels;
    __m128i sums[kRows];
    for (__m128i& sum : sums) sum = half;
    for (int64_t t = 0; t < taps; ++t, pixel += channels) {
      const __m128i weight = _mm_set1_epi32(weights[t]);
      for (int row = 0; row < kRows; ++row) {
        const __m128i bytes = _mm_loadu_si32(pixel + row * from.stride);
        sums[row] = _mm_add_epi32(sums[row], _mm_mullo_epi32(_mm_cvtepu8_epi32(bytes), weight));
      }
    }
    for (int row = 0; row < kRows; ++row)
      _mm_storeu_si32(to[row] + x * channels,
                      _mm_shuffle_epi8(_mm_srli_epi32(sums[row], kBits), lowest_bytes));
  }
}

// A multiple of 32 bytes of every row; returns how many.
__attribute__((target("avx2"))) int64_t resize_rows_avx2(const Weights& rows, int64_t bytes,
                                                         const ConstRows& from, const Rows& to) {
  constexpr int64_t kBlock = 32, kVectors = 4;
  const __m256i half = _mm256_set1_epi32(kHalf);
  // Where packing, which is done in either half of a vector, has left four bytes.
  const __m256i places = _mm256_setr_epi32(0, 4, 1, 5, 2, 6, 3, 7);
  const int64_t taps = rows.taps(), blocks = bytes / kBlock;
  for (int64_t y = 0; y < rows.count(); ++y) {
    const int32_t* weights = rows.weights(y);
    for (int64_t block = 0; block < blocks; ++block) {
      const unsigned char* top = from[rows.start(y)] + block * kBlock;
      __m256i sums[kVectors];
      for (__m256i& sum : sums) sum = half;
      for (int64_t t = 0; t < taps; ++t, top += from.stride) {
        const __m256i weight = _mm256_set1_epi32(weights[t]);
        for (int i = 0; i < kVectors; ++i) {
          const __m256i numbers = _mm256_cvtepu8_epi32(_mm_loadu_si64(top + 8 * i));
          sums[i] = _mm256_add_epi32(sums[i], _mm256_mullo_epi32(numbers, weight));
        }
      }
      for (__m256i& sum : sums) sum = _mm256_srli_epi32(sum, kBits);
      const __m256i packed = _mm256_packus_epi16(_mm256_packus_epi32(sums[0], sums[1]),
                                                 _mm256_packus_epi32(sums[2], sums[3]));
      _mm256_storeu_si256(reinterpret_cast<__m256i*>(to[y] + block * kBlock),
                          _mm256_permutevar8x32_epi32(packed, places));
    }
  }
  return blocks * kBlock;
}
#else
constexpr bool kHasAvx2 = false;
template <int kRows>
void resize_columns_avx2(const Weights&, int64_t, const ConstRows&, const Rows&) {}
int64_t resize_rows_avx2(const Weights&, int64_t, const ConstRows&, const Rows&) { return 0; }
#endif

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
  const int64_t narrow_stride = bytes + Image::kSlack;
  narrow_.resize(static_cast<size_t>(box_.height * narrow_stride));
  const ConstRows from{part.at(box_.top, box_.left), part.image.stride()};
  const Rows narrow{narrow_.data(), narrow_stride};
  int64_t row = 0, first = 0;
  if (kHasAvx2 && (channels == 3 || channels == 4)) {
    constexpr int kRows = 4;
    for (; row + kRows <= box_.height; row += kRows)
      resize_columns_avx2<kRows>(columns_, channels, {from[row], from.stride},
                                 {narrow[row], narrow.stride});
    for (; row < box_.height; ++row)
      resize_columns_avx2<1>(columns_, channels, {from[row], from.stride},
                             {narrow[row], narrow.stride});
  } else {
    resize_columns(columns_, box_.height, channels, from, narrow);
  }
  const ConstRows narrow_rows{narrow_.data(), narrow_stride};
  if (kHasAvx2) first = resize_rows_avx2(rows_, bytes, narrow_rows, {out, stride});
  resize_rows(rows_, first, bytes, narrow_rows, {out, stride});
}

}  // namespace orepa
