// Rows that become columns, by one lane: in squares, all of whose loops are vectorised.
#pragma once
#include "orepa/parallel.h"

namespace orepa {

// Numbers of either by turns.
template <int64_t kCount, class Number>
OREPA_HD void interleave(const Number* even, const Number* odd, Number* to) {
#pragma omp simd
  for (int64_t i = 0; i < kCount; ++i) {
    to[2 * i] = even[i];
    to[2 * i + 1] = odd[i];
  }
}

// Number (r, j) of `from` becomes number (j, r) of `to`, kSide of either. To take the numbers of
// two halves by turns rotates the bits of their places by one: after as many times as a side has
// bits, rows are columns. It is done row by row, so that what is stored is loaded again in vectors
// of the same size: a larger one would wait for several stores. REQUIRES: kSide is a power of two,
// and at least 4.
template <int64_t kSide, class Number>
OREPA_HD void transpose_square(const Number* from, int64_t from_step, Number* to, int64_t to_step) {
  constexpr int64_t kHalf = kSide / 2;
  Number squares[2][kSide * kSide];
  for (int64_t r = 0; r < kHalf; ++r)
    interleave<kSide>(from + r * from_step, from + (r + kHalf) * from_step,
                      squares[0] + 2 * r * kSide);
  int now = 0;
  for (int64_t bit = 4; bit < kSide; bit *= 2, now = 1 - now)
    for (int64_t r = 0; r < kHalf; ++r)
      interleave<kSide>(squares[now] + r * kSide, squares[now] + (r + kHalf) * kSide,
                        squares[1 - now] + 2 * r * kSide);
  for (int64_t r = 0; r < kSide; ++r)
    interleave<kHalf>(squares[now] + r * kHalf, squares[now] + (r + kSide) * kHalf,
                      to + r * to_step);
}

// The same of any rows and columns of `from`, in squares of kSide where there is room for them,
// then in smaller ones (docs/performance.md, "Layers one by one").
template <int64_t kSide = 8, class Number>
OREPA_HD void transpose(int64_t rows, int64_t columns, const Number* from, int64_t from_step,
                        Number* to, int64_t to_step) {
  constexpr int64_t kLeastSide = 4;
  if constexpr (kSide < kLeastSide) {
    for (int64_t r = 0; r < rows; ++r)
      for (int64_t j = 0; j < columns; ++j) to[j * to_step + r] = from[r * from_step + j];
  } else {
    const int64_t past_row = rows - rows % kSide, past_column = columns - columns % kSide;
    for (int64_t r = 0; r < past_row; r += kSide)
      for (int64_t j = 0; j < past_column; j += kSide)
        transpose_square<kSide>(from + r * from_step + j, from_step, to + j * to_step + r, to_step);
    if (past_column < columns)
      transpose<kSide / 2>(past_row, columns - past_column, from + past_column, from_step,
                           to + past_column * to_step, to_step);
    if (past_row < rows)
      transpose<kSide / 2>(rows - past_row, columns, from + past_row * from_step, from_step,
                           to + past_row, to_step);
  }
}

}  // namespace orepa
