// Parallel loops and reductions: how a layer's arithmetic reaches a device. A functor is a small
// struct of pointers and numbers with `OREPA_HD ... operator()(...) const`; the same source runs as
// an OpenMP loop and, compiled by nvcc, as a CUDA kernel. Functors, not lambdas: nvcc wraps a
// host-device lambda in an indirect call (measured on the host: 1.69 against 0.054 ns an element).
//
// The only file that knows whether it is compiled as CUDA. Sums are taken over pieces of fixed size
// in a fixed order, so results do not depend on the number of threads. Calls of one loop may run in
// any order.
#pragma once
#include <algorithm>
#include <cstdint>
#include <type_traits>

#include "orepa/device.h"
#include "orepa/error.h"

#if defined(__CUDACC__) || defined(CUDAEMU)
#define OREPA_CUDA
#include <cuda_runtime.h>

#include "orepa/parallel_kernels.h"
#define OREPA_HD __host__ __device__
#else
#define OREPA_HD
#endif

// One program holds files compiled with CUDA and without: a loop of one functor has a name of its
// own in each, or the linker would keep one of the two for both.
#ifdef OREPA_CUDA
namespace orepa::inline with_kernels {
#else
namespace orepa::inline without_kernels {
#endif
namespace parallel {

constexpr int64_t kGrain = 16384;     // calls below which a second thread does not pay
constexpr int64_t kPiece = 256;       // rows summed in float before pieces are summed in double
constexpr int64_t kLongPiece = 4096;  // numbers that reduce_all() sums at once
constexpr int64_t kLanes = 64;  // columns that contract_rows() takes through all terms at once

// Whether a loop is a kernel launch. Throws Error where the device wants one that this file,
// compiled without CUDA, does not have: a loop on the host would read the device's addresses.
inline bool launches(const Device& device) {
#ifdef OREPA_CUDA
  return device.is_cuda();
#else
  require(!device.is_cuda(), "a loop that was compiled without CUDA was handed ",
          device.description());
  return false;
#endif
}

// The first stage of reduce_columns(): every column of a piece of the rows.
template <class F>
struct PieceSum {
  F f;
  int64_t rows, columns;
  float* partial;
  OREPA_HD int64_t terms(int64_t piece) const {
    const int64_t left = rows - piece * kPiece;
    return left < kPiece ? left : kPiece;
  }
  OREPA_HD float term(int64_t piece, int64_t n, int64_t j) const {
    return f(piece * kPiece + n, j);
  }
  OREPA_HD void result(int64_t piece, int64_t j, float sum) const {
    partial[piece * columns + j] = sum;
  }
};

// The second: every piece of a column.
struct PieceOfColumn {
  const float* partial;
  int64_t columns;
  OREPA_HD double operator()(int64_t j, int64_t piece) const {
    return partial[piece * columns + j];
  }
};

// A functor and what it is told in each call.
template <class F, class Values>
struct With {
  F f;
  Values values;
  OREPA_HD void operator()(int64_t i) const { f(i, values); }
};

// A piece of reduce_all().
template <class F>
struct PieceOfAll {
  F f;
  int64_t count;
  OREPA_HD auto operator()(int64_t piece, int64_t j) const {
    const int64_t i = piece * kLongPiece + j;
    return i < count ? f(i) : decltype(f(i)){0};
  }
};

struct Partial {
  const double* sum;
  OREPA_HD double operator()(int64_t, int64_t piece) const { return sum[piece]; }
};

inline int64_t long_pieces(int64_t count) { return (count + kLongPiece - 1) / kLongPiece; }

// The host's team of parallel_teams(): one lane, which does everything.
struct OneLane {
  OREPA_HD int64_t first() const { return 0; }
  OREPA_HD int64_t step() const { return 1; }
  OREPA_HD float sum(float value) const { return value; }
  OREPA_HD float max(float value) const { return value; }
};

// f(i) for every i of one thread's share [begin, end). A function of its own: GCC splits a loop by
// the type of Numbers (numbers.h), and vectorises both, only outside of the parallel region.
template <class F>
void run_share(int64_t begin, int64_t end, F f) {
#pragma omp simd
  for (int64_t i = begin; i < end; ++i) f(i);
}

// The same along a row.
template <class F>
void run_row(int64_t r, int64_t columns, F f) {
#pragma omp simd
  for (int64_t j = 0; j < columns; ++j) f(r, j);
}

// One column of contract_rows().
template <class F>
struct Contraction {
  F f;
  OREPA_HD auto operator()(int64_t r, int64_t j) const {
    const int64_t terms = f.terms(r);
    float sum = 0;
    for (int64_t n = 0; n < terms; ++n) sum += f.term(r, n, j);
    return f.result(r, j, sum);
  }
};

// Columns [begin, begin + count) on the host; returns the sum of what f.result() returns. Where
// count is a compile-time constant, the sums stay in registers.
template <class F, class Count>
float contract_columns(const F& f, int64_t r, int64_t begin, Count count) {
  float sums[kLanes] = {};
  const int64_t terms = f.terms(r);
  for (int64_t n = 0; n < terms; ++n) {
#pragma omp simd
    for (int64_t j = 0; j < count; ++j) sums[j] += f.term(r, n, begin + j);
  }
  float total = 0;
  if constexpr (std::is_void_v<decltype(f.result(r, begin, total))>) {
#pragma omp simd
    for (int64_t j = 0; j < count; ++j) f.result(r, begin + j, sums[j]);
  } else {
    // Two loops: GCC does not vectorise one that also changes in place what it sums.
#pragma omp simd
    for (int64_t j = 0; j < count; ++j) sums[j] = f.result(r, begin + j, sums[j]);
#pragma omp simd reduction(+ : total)
    for (int64_t j = 0; j < count; ++j) total += sums[j];
  }
  return total;
}

}  // namespace parallel

// f(i) for every i in [0, n).
template <class F>
void parallel_for(const Device& device, int64_t n, F f) {
  if (n <= 0) return;
  if (parallel::launches(device)) {
#ifdef OREPA_CUDA
    parallel::launch(device, parallel::EachLoop<F>{n, f});
#endif
    return;
  }
  device.count_launch();
  constexpr int64_t kShare = parallel::kGrain / 4;
#pragma omp parallel for schedule(static) if (n > parallel::kGrain)
  for (int64_t begin = 0; begin < n; begin += kShare)
    parallel::run_share(begin, std::min(n, begin + kShare), f);
}

// f(i, *values) for every i in [0, n): `values` is in device memory and does not change meanwhile.
template <class Values, class F>
void parallel_for(const Device& device, int64_t n, F f, const Values* values) {
  if (n <= 0) return;
  if (parallel::launches(device)) {
#ifdef OREPA_CUDA
    parallel::launch(device, parallel::EachWithValuesLoop<F, Values>{n, f, values});
#endif
    return;
  }
  parallel_for(device, n, parallel::With<F, Values>{f, *values});
}

// f(r, j) for every r in [0, rows) and j in [0, columns); consecutive j run side by side.
template <class F>
void parallel_rows(const Device& device, int64_t rows, int64_t columns, F f) {
  if (rows <= 0 || columns <= 0) return;
  if (parallel::launches(device)) {
#ifdef OREPA_CUDA
    parallel::launch(device, parallel::RowsLoop<F>(rows, columns, f));
#endif
    return;
  }
  device.count_launch();
#pragma omp parallel for schedule(static) if (rows * columns > parallel::kGrain)
  for (int64_t r = 0; r < rows; ++r) parallel::run_row(r, columns, f);
}

// out[r] = sum over j of f(r, j), added to out[r] where `accumulate`. Pieces of a row are summed in
// what f returns, float or double, and rows in double.
template <class F, class Out>
void reduce_rows(const Device& device, int64_t rows, int64_t columns, F f, Out* out,
                 bool accumulate = false) {
  if (rows <= 0) return;
  if (parallel::launches(device)) {
#ifdef OREPA_CUDA
    if (columns <= parallel::kRowOfAWarp)
      parallel::launch(device, parallel::ShortRowSums<F, Out>{rows, columns, f, accumulate, out});
    else
      parallel::launch(device, parallel::LongRowSums<F, Out>{rows, columns, f, accumulate, out});
#endif
    return;
  }
  device.count_launch();
#pragma omp parallel for schedule(static) firstprivate(f) if (rows * columns > parallel::kGrain)
  for (int64_t r = 0; r < rows; ++r) {
    double sum = 0;
    for (int64_t begin = 0; begin < columns; begin += parallel::kPiece) {
      const int64_t end = std::min(columns, begin + parallel::kPiece);
      decltype(f(r, begin)) piece = 0;
#pragma omp simd reduction(+ : piece)
      for (int64_t j = begin; j < end; ++j) piece += f(r, j);
      sum += piece;
    }
    out[r] = (accumulate ? out[r] : Out{0}) + static_cast<Out>(sum);
  }
}

// Bytes that reduce_all() needs.
inline int64_t reduce_all_scratch(int64_t count) {
  return parallel::long_pieces(count) * int64_t{sizeof(double)};
}

// *out = sum over i in [0, count) of f(i), in two stages, so that a device has enough to do.
template <class F, class Out>
void reduce_all(const Device& device, int64_t count, F f, Out* out, double* scratch) {
  const int64_t pieces = parallel::long_pieces(count);
  reduce_rows(device, pieces, std::min(count, parallel::kLongPiece),
              parallel::PieceOfAll<F>{f, count}, scratch);
  reduce_rows(device, 1, pieces, parallel::Partial{scratch}, out);
}

// f(r, team) for every r in [0, rows), by a team of lanes: each lane calls it and takes columns
// team.first(), team.first() + team.step(), ...; team.sum() and team.max() of a value of each lane
// are those of all of them. All lanes of a team call the same ones.
template <class F>
void parallel_teams(const Device& device, int64_t rows, F f) {
  if (rows <= 0) return;
  if (parallel::launches(device)) {
#ifdef OREPA_CUDA
    parallel::launch(device, parallel::TeamsLoop<F>{rows, f});
#endif
    return;
  }
  device.count_launch();
#pragma omp parallel for schedule(static) firstprivate(f) if (rows > 1)
  for (int64_t r = 0; r < rows; ++r) f(r, parallel::OneLane());
}

// f.result(r, j, sum over n < f.terms(r) of f.term(r, n, j)) for every r in [0, rows) and j in
// [0, columns): a contraction whose operands have j innermost. f.result() puts the sum (in float)
// where it likes. It returns nothing, or a number: then out[r] = the sum of these over j.
template <class F>
void contract_rows(const Device& device, int64_t rows, int64_t columns, F f, float* out = nullptr) {
  if (rows <= 0) return;
  if (parallel::launches(device)) {
    if constexpr (std::is_void_v<decltype(f.result(rows, columns, 0.0f))>)
      parallel_rows(device, rows, columns, parallel::Contraction<F>{f});
    else
      reduce_rows(device, rows, columns, parallel::Contraction<F>{f}, out);
    return;
  }
  device.count_launch();
#pragma omp parallel for schedule(static) firstprivate(f) if (rows * columns > parallel::kGrain)
  for (int64_t r = 0; r < rows; ++r) {
    constexpr std::integral_constant<int64_t, parallel::kLanes> lanes;
    double total = 0;
    int64_t j = 0;
    for (; j + lanes <= columns; j += lanes) total += parallel::contract_columns(f, r, j, lanes);
    if (j < columns) total += parallel::contract_columns(f, r, j, columns - j);
    if (out != nullptr) out[r] = static_cast<float>(total);
  }
}

// Bytes that reduce_columns() needs.
inline int64_t reduce_columns_scratch(int64_t rows, int64_t columns) {
  const int64_t pieces = (rows + parallel::kPiece - 1) / parallel::kPiece;
  return pieces * columns * int64_t{sizeof(float)};
}

// out[j] = sum over r of f(r, j), added to out[j] where `accumulate`: channel sums in NHWC. Two
// stages, so that a device has enough to do where columns are few.
template <class F>
void reduce_columns(const Device& device, int64_t rows, int64_t columns, F f, float* out,
                    bool accumulate, float* scratch) {
  const int64_t pieces = (rows + parallel::kPiece - 1) / parallel::kPiece;
  contract_rows(device, pieces, columns, parallel::PieceSum<F>{f, rows, columns, scratch});
  reduce_rows(device, columns, pieces, parallel::PieceOfColumn{scratch, columns}, out, accumulate);
}

}  // namespace orepa
