// Loops and reductions on the CPU's device against plain loops in double.
#include "orepa/parallel.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "tests/error_of.h"
#include "tests/kernel_device.h"

namespace orepa {
namespace {

// Whole numbers, so that sums in float are exact and any order gives the same.
float number(int64_t i) { return static_cast<float>((i * 7919) % 23 - 11); }

std::vector<float> numbers(int64_t count) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) values.push_back(number(i));
  return values;
}

struct Product {
  const float* values;
  int64_t columns;
  OREPA_HD float operator()(int64_t r, int64_t j) const { return values[r * columns + j] * 2; }
};

// Row r has r + 1 terms a[n, j] b[r, j]; their sum is kept, and returned where Returns.
template <class Returns>
struct Contract {
  const float *a, *b;
  int64_t columns;
  float* kept;
  OREPA_HD int64_t terms(int64_t r) const { return r + 1; }
  OREPA_HD float term(int64_t r, int64_t n, int64_t j) const {
    return a[n * columns + j] * b[r * columns + j];
  }
  OREPA_HD Returns result(int64_t r, int64_t j, float sum) const {
    kept[r * columns + j] = sum;
    return static_cast<Returns>(sum);
  }
};

struct Extent {
  int64_t rows, columns;
};

struct Nothing {
  OREPA_HD void operator()(int64_t) const {}
  OREPA_HD float operator()(int64_t, int64_t) const { return 0; }
  OREPA_HD int64_t terms(int64_t) const { return 0; }
  OREPA_HD float term(int64_t, int64_t, int64_t) const { return 0; }
  OREPA_HD void result(int64_t, int64_t, float) const {}
};

struct Zero {
  OREPA_HD double operator()(int64_t) const { return 0; }
};

struct Number {
  const float* x;
  OREPA_HD float operator()(int64_t i) const { return x[i]; }
};

struct NoTeam {
  template <class Team>
  OREPA_HD void operator()(int64_t, Team) const {}
};

#ifndef OREPA_CUDA
TEST(ParallelOnTheHost, RefusesADeviceThatWantsKernels) {
  const KernelDevice device;
  float out[1] = {};
  const std::function<void()> loops[] = {
      [&] { parallel_for(device, 1, Nothing{}); },
      [&] { parallel_rows(device, 1, 1, Nothing{}); },
      [&] { reduce_rows(device, 1, 1, Nothing{}, out); },
      [&] { reduce_columns(device, 1, 1, Nothing{}, out, false, out); },
      [&] { contract_rows(device, 1, 1, Nothing{}); },
      [&] { reduce_all(device, 1, Zero{}, out, nullptr); },
      [&] { parallel_teams(device, 1, NoTeam{}); },
  };
  for (const auto& loop : loops)
    EXPECT_EQ(error_of(loop),
              "a loop that was compiled without CUDA was handed a device with kernels");
}
#endif

// What a lane of one team is told by it: the largest and the sum of its columns.
struct TeamRow {
  const float* a;
  int64_t columns;
  float *largest, *total;
  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    float most = a[r * columns], sum = 0;
    for (int64_t j = team.first(); j < columns; j += team.step()) {
      const float value = a[r * columns + j];
      most = value > most ? value : most;
      sum += value;
    }
    largest[r] = team.max(most);
    total[r] = team.sum(sum);
  }
};

class Parallel : public testing::TestWithParam<Extent> {
 protected:
  const int64_t rows_ = GetParam().rows, columns_ = GetParam().columns;
  const std::vector<float> a_ = numbers(rows_ * columns_), b_ = numbers(rows_ * columns_ + 5);
  const std::unique_ptr<Device> device_ = make_device("cpu");
};

TEST_P(Parallel, ReducesRowsAndColumns) {
  std::vector<float> by_row(static_cast<size_t>(rows_), 3),
      by_column(static_cast<size_t>(columns_)),
      scratch(static_cast<size_t>(reduce_columns_scratch(rows_, columns_)) / sizeof(float));
  reduce_rows(*device_, rows_, columns_, Product{a_.data(), columns_}, by_row.data(), true);
  reduce_columns(*device_, rows_, columns_, Product{a_.data(), columns_}, by_column.data(), false,
                 scratch.data());
  std::vector<double> rows(static_cast<size_t>(rows_), 3), columns(static_cast<size_t>(columns_));
  for (int64_t r = 0; r < rows_; ++r)
    for (int64_t j = 0; j < columns_; ++j) {
      rows[r] += 2 * a_[r * columns_ + j];
      columns[j] += 2 * a_[r * columns_ + j];
    }
  for (int64_t r = 0; r < rows_; ++r) EXPECT_EQ(by_row[r], rows[r]) << r;
  for (int64_t j = 0; j < columns_; ++j) EXPECT_EQ(by_column[j], columns[j]) << j;
}

TEST(ParallelOnTheHost, CountsItsLaunches) {
  const auto device = make_device("cpu");
  float out[1] = {};
  double scratch[1];
  const int64_t before = device->counts().launches;
  parallel_for(*device, 1, Nothing{});
  parallel_rows(*device, 1, 1, Nothing{});
  contract_rows(*device, 1, 1, Nothing{});
  parallel_teams(*device, 1, NoTeam{});
  EXPECT_EQ(device->counts().launches, before + 4);
  reduce_all(*device, 1, Zero{}, out, scratch);  // of two stages
  EXPECT_EQ(device->counts().launches, before + 6);
  EXPECT_EQ(device->counts().waits, 0);
  device->synchronize();
  EXPECT_EQ(device->counts().waits, 1);
}

struct Sum {
  float* total;
  OREPA_HD void operator()(int64_t i, const float& value) const { total[i] += value; }
};

TEST(ParallelOnTheHost, ReadsValuesOfTheDevice) {
  const auto device = make_device("cpu");
  float totals[] = {1, 2}, value = 3;
  parallel_for(*device, 2, Sum{totals}, &value);
  EXPECT_EQ(totals[0], 4);
  EXPECT_EQ(totals[1], 5);
}

TEST_P(Parallel, ReducesAll) {
  const int64_t count = rows_ * columns_;
  std::vector<double> scratch(static_cast<size_t>(reduce_all_scratch(count) / 8));
  float sum = 0;
  reduce_all(*device_, count, Number{a_.data()}, &sum, scratch.data());
  EXPECT_EQ(sum, std::accumulate(a_.begin(), a_.end(), 0.0));
}

TEST_P(Parallel, TeamsTakeARowEach) {
  std::vector<float> largest(static_cast<size_t>(rows_)), total(largest);
  parallel_teams(*device_, rows_, TeamRow{a_.data(), columns_, largest.data(), total.data()});
  for (int64_t r = 0; r < rows_; ++r) {
    const auto begin = a_.begin() + r * columns_, end = begin + columns_;
    EXPECT_EQ(largest[r], *std::max_element(begin, end)) << r;
    EXPECT_EQ(total[r], std::accumulate(begin, end, 0.0f)) << r;
  }
}

TEST_P(Parallel, ContractsRows) {
  std::vector<float> kept(a_.size()), kept_alone(a_.size()), out(static_cast<size_t>(rows_));
  contract_rows(*device_, rows_, columns_,
                Contract<float>{a_.data(), b_.data() + 5, columns_, kept.data()}, out.data());
  contract_rows(*device_, rows_, columns_,
                Contract<void>{a_.data(), b_.data() + 5, columns_, kept_alone.data()});
  EXPECT_EQ(kept, kept_alone);
  for (int64_t r = 0; r < rows_; ++r) {
    double total = 0;
    for (int64_t j = 0; j < columns_; ++j) {
      double sum = 0;
      for (int64_t n = 0; n <= r; ++n)
        sum += double{a_[n * columns_ + j]} * b_[5 + r * columns_ + j];
      EXPECT_EQ(kept[r * columns_ + j], sum) << r << ", " << j;
      total += sum;
    }
    EXPECT_EQ(out[r], total) << r;
  }
}

// One, fewer, as many and more columns than contract_rows() takes at once; enough for two threads.
INSTANTIATE_TEST_SUITE_P(Extents, Parallel,
                         testing::Values(Extent{1, 1}, Extent{3, 7}, Extent{5, 64}, Extent{4, 131},
                                         Extent{130, 140}, Extent{3, 9000}));

}  // namespace
}  // namespace orepa
