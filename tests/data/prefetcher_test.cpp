#include "data/prefetcher.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstring>
#include <random>

#include "orepa/error.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

constexpr int64_t kRows = 37;

int64_t content(int64_t index, int64_t row) { return index * 1000 + row; }

void fill(int, int64_t index, int64_t row, char* batch) {
  reinterpret_cast<int64_t*>(batch)[row] = content(index, row);
}

struct Ring {
  explicit Ring(int depth, int threads, Prefetcher::Fill with = fill, int64_t wrap = -1)
      : prefetcher(*device, {kRows, kRows * 8, depth, threads}, std::move(with),
                   [wrap](int64_t index) { return index + 1 == wrap ? 0 : index + 1; }) {}
  // Takes a batch and hands it to the device, as a layer does.
  void expect(int64_t index) {
    const char* batch = prefetcher.take(index);
    device->copy_to_device(memory.data(), batch, kRows * 8);
    prefetcher.sent();
    std::vector<int64_t> numbers(kRows);
    device->copy_to_host(numbers.data(), memory.data(), kRows * 8);
    for (int64_t row = 0; row < kRows; ++row) ASSERT_EQ(numbers[row], content(index, row));
  }
  std::unique_ptr<Device> device = test_device();
  DeviceMemory memory{*device, kRows * 8};
  Prefetcher prefetcher;
};

TEST(Prefetcher, GivesTheBatchThatIsAskedFor) {
  for (const int threads : {1, 2, 7})
    for (const int depth : {1, 2, 5}) {
      Ring ring(depth, threads);
      for (const int64_t index : {0, 1, 2, 3, 4, 5, 6, 7, 3, 4, 4, 4, 100, 101, 0})
        ring.expect(index);
    }
}

// What is copied without a wait stays as it was until the copy is done.
TEST(Prefetcher, LeavesBatchesAloneThatTheDeviceStillReads) {
  Ring ring(3, 2);
  const DeviceMemory all(*ring.device, 50 * kRows * 8);
  for (int64_t index = 0; index < 50; ++index) {
    const char* batch = ring.prefetcher.take(index);
    ring.device->copy_to_device(static_cast<char*>(all.data()) + index * kRows * 8, batch,
                                kRows * 8);
    ring.prefetcher.sent();
  }
  std::vector<int64_t> numbers(50 * kRows);
  ring.device->copy_to_host(numbers.data(), all.data(), all.bytes());
  for (int64_t i = 0; i < 50 * kRows; ++i) ASSERT_EQ(numbers[i], content(i / kRows, i % kRows));
}

TEST(Prefetcher, WorksAheadAndNoFurtherThanItsRing) {
  std::atomic<int64_t> filled = 0;
  Ring ring(4, 2, [&](int thread, int64_t index, int64_t row, char* batch) {
    fill(thread, index, row, batch);
    ++filled;
  });
  ring.expect(0);
  for (int i = 0; i < 2000 && filled < 4 * kRows; ++i)
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_EQ(filled, 4 * kRows);
}

TEST(Prefetcher, BeginsAgainWhereAWalkEnds) {
  std::vector<std::atomic<int>> times(8);
  Ring ring(
      2, 1,
      [&](int thread, int64_t index, int64_t row, char* batch) {
        fill(thread, index, row, batch);
        if (row == 0) ++times[static_cast<size_t>(index)];
      },
      3);
  for (int walk = 0; walk < 4; ++walk)
    for (int64_t index = 0; index < 3; ++index) ring.expect(index);
  for (int index = 3; index < 8; ++index) EXPECT_EQ(times[index], 0);
}

TEST(Prefetcher, HandsOnWhatGoesWrongAndGoesOn) {
  std::atomic<bool> broken = true;
  Ring ring(3, 2, [&](int thread, int64_t index, int64_t row, char* batch) {
    require(!broken || index != 2 || row != 20, "row 20 of batch 2 is broken");
    fill(thread, index, row, batch);
  });
  ring.expect(0);
  ring.expect(1);
  for (int i = 0; i < 2; ++i)
    EXPECT_EQ(error_of([&] { ring.prefetcher.take(2); }), "row 20 of batch 2 is broken");
  broken = false;
  ring.expect(2);
  ring.expect(3);
}

TEST(Prefetcher, EndsWhileThreadsWork) {
  for (int i = 0; i < 20; ++i) {
    Ring ring(3, 2, [&](int, int64_t, int64_t, char*) {
      std::this_thread::sleep_for(std::chrono::microseconds(50));
    });
    ring.prefetcher.take(0);
  }
}

}  // namespace
}  // namespace orepa
