#include "data/shuffle.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace orepa {
namespace {

TEST(Shuffle, IsAPermutationForEveryCount) {
  for (int64_t count = 1; count <= 300; ++count) {
    const Random key(7, "shuffle test", static_cast<uint64_t>(count));
    std::vector<bool> seen(static_cast<size_t>(count), false);
    for (int64_t position = 0; position < count; ++position) {
      const int64_t index = shuffled(position, count, key);
      ASSERT_GE(index, 0);
      ASSERT_LT(index, count);
      ASSERT_FALSE(seen[static_cast<size_t>(index)]) << count;
      seen[static_cast<size_t>(index)] = true;
    }
  }
}

// Over many keys every position goes to every index about equally often. Each of the 49 counts is
// binomial with mean 2000 and deviation sqrt(14000 / 7 * 6 / 7) = 41.4; 5 deviations are allowed.
TEST(Shuffle, SendsEveryPositionEverywhere) {
  constexpr int64_t kCount = 7;
  std::vector<int> hits(kCount * kCount, 0);
  for (uint64_t epoch = 0; epoch < 14000; ++epoch) {
    const Random key(1, "shuffle test", epoch);
    for (int64_t position = 0; position < kCount; ++position)
      ++hits[static_cast<size_t>(position * kCount + shuffled(position, kCount, key))];
  }
  for (const int count : hits) EXPECT_NEAR(count, 2000, 207);
}

// Neighbours are torn apart: two random places in n lie n / 3 apart on average, with a deviation
// of n / sqrt(18); for the mean of n of them that is 58, and 5 of those are allowed.
TEST(Shuffle, SeparatesNeighbours) {
  constexpr int64_t kCount = 60000;
  const Random key(3, "shuffle test");
  double sum = 0;
  for (int64_t p = 0; p + 1 < kCount; ++p)
    sum += std::abs(static_cast<double>(shuffled(p, kCount, key) - shuffled(p + 1, kCount, key)));
  EXPECT_NEAR(sum / (kCount - 1), kCount / 3.0, 290);
}

}  // namespace
}  // namespace orepa
