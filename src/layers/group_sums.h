// Sums over the pixels of a plane, channels innermost: of each sample, or of a whole batch.
#pragma once
#include "orepa/parallel.h"

namespace orepa {

// The first stage: every column of a piece of a group's rows.
template <class F>
struct PieceOfGroup {
  F f;
  int64_t rows, pieces, columns;  // of a group
  float* partial;
  OREPA_HD int64_t terms(int64_t p) const {
    const int64_t left = rows - p % pieces * parallel::kPiece;
    return left < parallel::kPiece ? left : parallel::kPiece;
  }
  OREPA_HD float term(int64_t p, int64_t n, int64_t j) const {
    return f(p / pieces * rows + p % pieces * parallel::kPiece + n, j);
  }
  OREPA_HD void result(int64_t p, int64_t j, float sum) const { partial[p * columns + j] = sum; }
};

// The second: every piece of a column.
struct PiecesOfGroup {
  const float* partial;
  int64_t pieces, columns;
  OREPA_HD double operator()(int64_t i, int64_t piece) const {
    return partial[(i / columns * pieces + piece) * columns + i % columns];
  }
};

inline int64_t group_pieces(int64_t rows) {
  return (rows + parallel::kPiece - 1) / parallel::kPiece;
}

// Bytes that sum_groups() needs.
inline int64_t group_sums_scratch(int64_t groups, int64_t rows, int64_t columns) {
  return groups * group_pieces(rows) * columns * int64_t{sizeof(float)};
}

// out[g * columns + j] = sum of f(r, j) over the `rows` rows r from g * rows on.
template <class F>
void sum_groups(const Device& device, int64_t groups, int64_t rows, int64_t columns, F f,
                float* out, float* scratch) {
  const int64_t pieces = group_pieces(rows);
  contract_rows(device, groups * pieces, columns,
                PieceOfGroup<F>{f, rows, pieces, columns, scratch});
  reduce_rows(device, groups * columns, pieces, PiecesOfGroup{scratch, pieces, columns}, out);
}

}  // namespace orepa
