#include "engine/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "orepa/device.h"
#include "orepa/random.h"

namespace orepa {
namespace {

int64_t sum_of_bytes(const std::vector<MemoryRequest>& requests) {
  int64_t sum = 0;
  for (const MemoryRequest& request : requests) sum += aligned(request.bytes);
  return sum;
}

// The most that lives in any one step: no plan can need less, in-place successions left out.
int64_t most_alive(const std::vector<MemoryRequest>& requests) {
  int64_t most = 0;
  for (const MemoryRequest& at : requests) {
    int64_t alive = 0;
    for (const MemoryRequest& other : requests)
      if (other.first <= at.first && at.first <= other.last) alive += other.bytes;
    most = std::max(most, alive);
  }
  return most;
}

std::vector<MemoryRequest> random_requests(uint64_t seed, bool in_place) {
  const Random random(seed, "memory plan");
  std::vector<MemoryRequest> requests;
  const int count = static_cast<int>(1 + random.below(0, 60));
  for (int i = 0; i < count; ++i) {
    MemoryRequest request;
    request.bytes = static_cast<int64_t>(random.below(4 * i + 1, 5000));
    request.first = static_cast<int>(random.below(4 * i + 2, 40));
    request.last = request.first + static_cast<int>(random.below(4 * i + 3, 12));
    if (in_place)
      for (int j = 0; j < i; ++j)
        if (requests[j].last == request.first && requests[j].first < request.first)
          request.may_take_over.push_back(j);
    requests.push_back(request);
  }
  return requests;
}

bool overlap(const MemoryPlan& plan, const std::vector<MemoryRequest>& requests, int a, int b) {
  return plan.offsets[a] < plan.offsets[b] + requests[b].bytes &&
         plan.offsets[b] < plan.offsets[a] + requests[a].bytes;
}

TEST(MemoryPlan, NoTwoLiveBuffersOverlap) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const bool in_place = seed % 2 == 1;
    const std::vector<MemoryRequest> requests = random_requests(seed, in_place);
    const MemoryPlan plan = plan_memory(requests);
    for (int a = 0; a < static_cast<int>(requests.size()); ++a)
      for (int b = 0; b < a; ++b) {
        if (requests[a].last < requests[b].first || requests[b].last < requests[a].first) continue;
        if (!overlap(plan, requests, a, b)) continue;
        // Only a successor may stand where its predecessor still does, in the step of the handover.
        const int later = requests[a].first >= requests[b].first ? a : b;
        const int earlier = later == a ? b : a;
        const std::vector<int>& may = requests[later].may_take_over;
        EXPECT_NE(std::find(may.begin(), may.end(), earlier), may.end()) << "seed " << seed;
        EXPECT_EQ(requests[earlier].last, requests[later].first) << "seed " << seed;
      }
  }
}

TEST(MemoryPlan, PeakLiesBetweenTheMostAliveAndTheSum) {
  for (uint64_t seed = 0; seed < 300; ++seed) {
    const std::vector<MemoryRequest> requests = random_requests(seed, false);
    const MemoryPlan plan = plan_memory(requests);
    EXPECT_LE(plan.peak, sum_of_bytes(requests)) << "seed " << seed;
    EXPECT_GE(plan.peak, most_alive(requests)) << "seed " << seed;
    for (size_t i = 0; i < requests.size(); ++i) {
      EXPECT_EQ(plan.offsets[i] % kAlignment, 0);
      EXPECT_LE(plan.offsets[i] + requests[i].bytes, plan.peak) << "seed " << seed;
    }
  }
}

TEST(MemoryPlan, APlaceIsHandedToOneSuccessorOnly) {
  const MemoryPlan plan = plan_memory({{100, 0, 1, {}}, {100, 1, 2, {0}}, {100, 1, 2, {0}}});
  EXPECT_EQ(plan.offsets[0], plan.offsets[1]);
  EXPECT_NE(plan.offsets[0], plan.offsets[2]);
  EXPECT_EQ(plan.peak, 2 * aligned(100));
}

TEST(MemoryPlan, APlaceStillReadLaterIsNotHandedOver) {
  const MemoryPlan plan = plan_memory({{100, 0, 2, {}}, {100, 1, 3, {0}}});
  EXPECT_NE(plan.offsets[0], plan.offsets[1]);
}

TEST(MemoryPlan, OfNothingIsEmpty) { EXPECT_EQ(plan_memory({}).peak, 0); }

}  // namespace
}  // namespace orepa
