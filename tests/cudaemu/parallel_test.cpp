// The loops of parallel.h as kernels, against plain loops in double.
#include "orepa/parallel.h"

#include <algorithm>
#include <limits>

#include "tests/cudaemu/fixture.h"
#include "tests/kernel_device.h"

namespace cudaemu {
namespace {

using namespace orepa;

// Whole numbers, so that sums in float are exact and any order gives the same.
float number(int64_t i) { return static_cast<float>((i * 7919) % 23 - 11); }

std::vector<float> numbers(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(number(i));
  return values;
}

struct Twice {
  const float* x;
  float* y;
  OREPA_HD void operator()(int64_t i) const { y[i] = 2 * x[i]; }
};

struct AddValue {
  const float* x;
  float* y;
  OREPA_HD void operator()(int64_t i, const float& value) const { y[i] = x[i] + value; }
};

struct Transpose {
  const float* x;
  float* y;
  int64_t rows, columns;
  OREPA_HD void operator()(int64_t r, int64_t j) const { y[j * rows + r] = x[r * columns + j]; }
};

struct Element {
  const float* x;
  int64_t columns;
  OREPA_HD float operator()(int64_t r, int64_t j) const { return x[r * columns + j]; }
};

struct Number {
  const float* x;
  OREPA_HD float operator()(int64_t i) const { return x[i]; }
};

// Row r has r % 5 + 1 terms x[n, j] x[r, j].
template <class Returns>
struct Contract {
  const float* x;
  int64_t columns;
  float* kept;
  OREPA_HD int64_t terms(int64_t r) const { return r % 5 + 1; }
  OREPA_HD float term(int64_t r, int64_t n, int64_t j) const {
    return x[(r < n ? r : n) * columns + j] * x[r * columns + j];
  }
  OREPA_HD Returns result(int64_t r, int64_t j, float sum) const {
    kept[r * columns + j] = sum;
    return static_cast<Returns>(sum);
  }
};

struct TeamRow {
  const float* x;
  int64_t columns;
  float *largest, *total;
  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    float most = -std::numeric_limits<float>::infinity(), sum = 0;
    for (int64_t j = team.first(); j < columns; j += team.step()) {
      const float value = x[r * columns + j];
      most = value > most ? value : most;
      sum += value;
    }
    most = team.max(most);
    sum = team.sum(sum);
    if (team.first() == 0) {
      largest[r] = most;
      total[r] = sum;
    }
  }
};

struct Extent {
  int64_t rows, columns;
};

class ParallelKernels : public Emulation, public testing::WithParamInterface<Extent> {
 protected:
  const int64_t rows_ = GetParam().rows, columns_ = GetParam().columns, count_ = rows_ * columns_;
  const std::vector<float> x_ = numbers(count_);
  const float* const on_x_ = device(x_);
  const KernelDevice device_{stream_};

  double row_sum(int64_t r) const {
    return std::accumulate(x_.begin() + r * columns_, x_.begin() + (r + 1) * columns_, 0.0);
  }
};

TEST_P(ParallelKernels, LoopOverNumbers) {
  float* y = device(count_);
  parallel_for(device_, count_, Twice{on_x_, y});
  std::vector<float> expected(x_);
  for (float& value : expected) value *= 2;
  EXPECT_EQ(read(y, count_), expected);

  const float* value = device(std::vector<float>{3});
  parallel_for(device_, count_, AddValue{on_x_, y}, value);
  std::transform(x_.begin(), x_.end(), expected.begin(), [](float x) { return x + 3; });
  EXPECT_EQ(read(y, count_), expected);
  EXPECT_EQ(device_.counts().launches, 2);
}

TEST_P(ParallelKernels, LoopOverRows) {
  float* y = device(count_);
  parallel_rows(device_, rows_, columns_, Transpose{on_x_, y, rows_, columns_});
  const std::vector<float> transposed = read(y, count_);
  for (int64_t r = 0; r < rows_; ++r)
    for (int64_t j = 0; j < columns_; ++j)
      ASSERT_EQ(transposed[j * rows_ + r], x_[r * columns_ + j]);
}

TEST_P(ParallelKernels, ReduceRows) {
  float* y = device(std::vector<float>(rows_, 3));
  double* z = device<double>(rows_);
  reduce_rows(device_, rows_, columns_, Element{on_x_, columns_}, y, true);
  reduce_rows(device_, rows_, columns_, Element{on_x_, columns_}, z);
  const std::vector<float> sums = read(y, rows_);
  const std::vector<double> wide = read(z, rows_);
  for (int64_t r = 0; r < rows_; ++r) {
    EXPECT_EQ(sums[r], 3 + row_sum(r)) << r;
    EXPECT_EQ(wide[r], row_sum(r)) << r;
  }
}

TEST_P(ParallelKernels, ReduceColumns) {
  const int64_t scratch = reduce_columns_scratch(rows_, columns_);
  float *y = device(columns_), *partial = device(scratch / sizeof(float));
  reduce_columns(device_, rows_, columns_, Element{on_x_, columns_}, y, false, partial);
  const std::vector<float> sums = read(y, columns_);
  for (int64_t j = 0; j < columns_; ++j) {
    double sum = 0;
    for (int64_t r = 0; r < rows_; ++r) sum += x_[r * columns_ + j];
    EXPECT_EQ(sums[j], sum) << j;
  }
}

TEST_P(ParallelKernels, ReduceAll) {
  float* y = device(1);
  double* scratch = device<double>(reduce_all_scratch(count_) / sizeof(double));
  reduce_all(device_, count_, Number{on_x_}, y, scratch);
  EXPECT_EQ(read(y, 1)[0], std::accumulate(x_.begin(), x_.end(), 0.0));
}

TEST_P(ParallelKernels, ContractRows) {
  float *kept = device(count_), *kept_alone = device(count_), *out = device(rows_);
  contract_rows(device_, rows_, columns_, Contract<float>{on_x_, columns_, kept}, out);
  contract_rows(device_, rows_, columns_, Contract<void>{on_x_, columns_, kept_alone});
  const std::vector<float> values = read(kept, count_), totals = read(out, rows_);
  EXPECT_EQ(values, read(kept_alone, count_));
  for (int64_t r = 0; r < rows_; ++r) {
    double total = 0;
    for (int64_t j = 0; j < columns_; ++j) {
      double sum = 0;
      for (int64_t n = 0; n <= r % 5; ++n)
        sum += double{x_[std::min(r, n) * columns_ + j]} * x_[r * columns_ + j];
      ASSERT_EQ(values[r * columns_ + j], sum) << r << ", " << j;
      total += sum;
    }
    EXPECT_EQ(totals[r], total) << r;
  }
}

TEST_P(ParallelKernels, TeamsTakeARowEach) {
  float *largest = device(rows_), *total = device(rows_);
  parallel_teams(device_, rows_, TeamRow{on_x_, columns_, largest, total});
  const std::vector<float> most = read(largest, rows_), sums = read(total, rows_);
  for (int64_t r = 0; r < rows_; ++r) {
    const auto begin = x_.begin() + r * columns_;
    EXPECT_EQ(most[r], *std::max_element(begin, begin + columns_)) << r;
    EXPECT_EQ(sums[r], row_sum(r)) << r;
  }
}

// Parts of a block, of a warp; rows that a warp sums and that a block does.
INSTANTIATE_TEST_SUITE_P(Small, ParallelKernels,
                         testing::Values(Extent{1, 1}, Extent{3, 7}, Extent{5, 64}, Extent{4, 131},
                                         Extent{20, 40}, Extent{2, 1100}));
// Many blocks; pieces of columns.
INSTANTIATE_TEST_SUITE_P(Large, ParallelKernels, testing::Values(Extent{600, 40}, Extent{3, 9000}));

}  // namespace
}  // namespace cudaemu
