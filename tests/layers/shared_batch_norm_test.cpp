// What ranks normalise by is the whole batch, and what they send does not grow with their number.
#include "layers/shared_batch_norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <barrier>
#include <cmath>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "orepa/device.h"
#include "orepa/error.h"
#include "tests/rank.h"

namespace orepa {
namespace {

// Where ranks that are threads meet to add up.
struct Meeting {
  explicit Meeting(int ranks) : together(ranks), numbers(static_cast<size_t>(ranks)) {}
  std::barrier<> together;
  std::vector<Communicator::Numbers> numbers;  // of each rank
};

class ThreadRank : public Rank {
 public:
  ThreadRank(int rank, int size, Meeting& meeting) : Rank(rank, size), meeting_(meeting) {}
  void start_sum(const Numbers& numbers) override {
    ASSERT_NE(numbers.type, Numbers::Type::kBFloat16);
    meeting_.numbers[static_cast<size_t>(rank())] = numbers;
    meeting_.together.arrive_and_wait();
    if (numbers.type == Numbers::Type::kFloat64)
      add_up<double>(numbers);
    else
      add_up<float>(numbers);
    summed.push_back(numbers.count);
  }

  std::vector<int64_t> summed;

 private:
  template <class Number>
  void add_up(const Numbers& numbers) {
    std::vector<Number> sums(static_cast<size_t>(numbers.count));
    for (const Numbers& part : meeting_.numbers)
      for (size_t i = 0; i < sums.size(); ++i) sums[i] += static_cast<const Number*>(part.data)[i];
    meeting_.together.arrive_and_wait();
    std::copy(sums.begin(), sums.end(), static_cast<Number*>(numbers.data));
  }

  Meeting& meeting_;
};

constexpr int64_t kRows = 7, kChannels = 3;

// What comes of a batch, row by row, and how many numbers a rank has added up in each sum.
struct Result {
  std::vector<float> y, dx, mean, variance, dscale, dshift;
  std::vector<int64_t> summed;
};

Result of_ranks(int size, const std::vector<float>& x, const std::vector<float>& dy) {
  const std::unique_ptr<Device> device = make_device("cpu");
  Meeting meeting(size);
  Result whole;
  whole.y.resize(x.size());
  whole.dx.resize(x.size());
  whole.dscale.resize(kChannels);
  whole.dshift.resize(kChannels);
  const std::vector<float> scale{1, 2, 0.5f}, shift{0, 1, -1};
  std::mutex gathering;
  const auto run = [&](int r) {
    ThreadRank rank(r, size, meeting);
    BatchRows rows{kRows * r / size, 0, kRows};
    rows.count = kRows * (r + 1) / size - rows.first;
    const BatchNormGeometry geometry{{rows.count, kChannels}};
    const auto plan =
        size > 1 ? shared_batch_norm(*device, rank, geometry, rows) : device->batch_norm(geometry);
    const auto bytes = [](int64_t count) { return std::vector<char>(static_cast<size_t>(count)); };
    auto workspace = bytes(std::max(plan->forward_workspace(), plan->backward_workspace())),
         saved = bytes(plan->saved_bytes());
    std::vector<float> mean(kChannels), variance(kChannels), dscale(kChannels), dshift(kChannels);
    const int64_t first = rows.first * kChannels;
    plan->forward(&x[first], scale.data(), shift.data(), &whole.y[first], mean.data(),
                  variance.data(), saved.data(), workspace.data());
    plan->backward(&x[first], &dy[first], scale.data(), mean.data(), variance.data(), saved.data(),
                   &whole.dx[first], dscale.data(), dshift.data(), workspace.data());
    const std::lock_guard lock(gathering);
    whole.mean = mean;
    whole.variance = variance;
    whole.summed = rank.summed;
    for (size_t c = 0; c < kChannels; ++c) {
      whole.dscale[c] += dscale[c];
      whole.dshift[c] += dshift[c];
    }
  };
  std::vector<std::jthread> ranks;
  for (int r = 0; r < size; ++r) ranks.emplace_back(run, r);
  ranks.clear();
  return whole;
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted, double error,
                 const std::string& what) {
  ASSERT_EQ(got.size(), wanted.size());
  for (size_t i = 0; i < got.size(); ++i)
    EXPECT_NEAR(got[i], wanted[i], error * std::max(1.0f, std::abs(wanted[i]))) << what << " " << i;
}

// Also where the mean is a thousand times the deviation: squares alone would have no digit right.
TEST(SharedBatchNorm, IsThatOfOneProcess) {
  for (const float offset : {0.0f, 1000.0f}) {
    std::vector<float> x, dy;
    for (int i = 0; i < kRows * kChannels; ++i) {
      x.push_back(offset + static_cast<float>(i * 37 % 23) / 8);  // exact
      dy.push_back(static_cast<float>(i * 29 % 19 - 9) / 8);
    }
    const Result one = of_ranks(1, x, dy);
    for (const int size : {2, 3, 7}) {
      const Result ranks = of_ranks(size, x, dy);
      const std::string what = text(size, " ranks, around ", offset, ": ");
      expect_near(ranks.mean, one.mean, 1e-6, what + "mean");
      // A rank's mean is off by half of its last place at most, and the variance by twice that for
      // each unit between the ranks' means, which are less than 2 apart.
      const double of_means = 4 * 0x1p-24 * offset;
      expect_near(ranks.variance, one.variance, 1e-6 + of_means, what + "variance");
      const double error = 1e-6 * std::max(1.0f, offset);  // that of the mean, in x - mean
      expect_near(ranks.y, one.y, error, what + "y");
      expect_near(ranks.dx, one.dx, error, what + "dx");
      expect_near(ranks.dscale, one.dscale, 4 * error, what + "dscale");
      expect_near(ranks.dshift, one.dshift, 1e-6, what + "dshift");
      EXPECT_EQ(ranks.summed, (std::vector<int64_t>{2 * kChannels, 2 * kChannels})) << what;
    }
  }
}

}  // namespace
}  // namespace orepa
