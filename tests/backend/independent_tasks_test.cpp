// Device::each_independent(): random tasks, against the same ones issued one after another.
#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "orepa/parallel.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

constexpr int64_t kSide = 40, kCount = kSide * kSide;  // each matrix

struct Twice {
  const float* x;
  float* y;
  OREPA_HD void operator()(int64_t i) const { y[i] = 2 * x[i] + 1; }
};

struct AddRowSum {
  const float* sums;
  float* y;
  OREPA_HD void operator()(int64_t r, int64_t j) const { y[r * kSide + j] += sums[r]; }
};

struct Element {
  const float* x;
  OREPA_HD float operator()(int64_t r, int64_t j) const { return x[r * kSide + j]; }
};

// What a task does, on three matrices of its own.
struct Call {
  int kind;
  int from, to;
  int64_t rows;
};

void issue(Device& device, const Call& call, float* memory) {
  const float* x = memory + call.from * kCount;
  float* y = memory + call.to * kCount;
  switch (call.kind) {
    case 0:
      return parallel_for(device, call.rows * kSide, Twice{x, y});
    case 1:
      return parallel_rows(device, call.rows, kSide, AddRowSum{x, y});
    case 2:
      return reduce_rows(device, call.rows, kSide, Element{x}, y);
    case 3:
      return device.copy(y, x, kCount * int64_t{sizeof(float)});
    case 4:
      return device.zero(y, call.rows * int64_t{sizeof(float)});
    default: {
      Gemm gemm{false, true, call.rows, kSide / 2, kSide};
      gemm.alpha = 0.01f;
      gemm.a = x, gemm.lda = kSide;
      gemm.b = x, gemm.ldb = kSide;
      gemm.c = y, gemm.ldc = kSide;
      gemm.batch = call.kind == 5 ? 1 : 2;
      gemm.stride_c = kSide / 2;
      return device.gemm(gemm);
    }
  }
}

class IndependentTasks : public testing::Test {
 protected:
  const std::unique_ptr<Device> device_ = test_device();

  // What is in the memory of all tasks in the end.
  std::vector<float> run(const std::vector<std::vector<Call>>& tasks, bool together) {
    const auto count = static_cast<int64_t>(tasks.size());
    const Shape shape{count * 3 * kCount};
    const DeviceMemory memory(*device_, shape.bytes());
    const Tensor all{static_cast<float*>(memory.data()), shape};
    std::vector<float> start;
    for (int64_t i = 0; i < shape.count(); ++i)
      start.push_back(static_cast<float>(i * 7919 % 23 - 11));
    write_tensor(*device_, all, start);
    const auto task = [&](int64_t t) {
      for (const Call& call : tasks[t]) issue(*device_, call, all.floats() + t * 3 * kCount);
    };
    const int64_t before = device_->counts().launches;
    if (together)
      device_->each_independent(count, task);
    else
      for (int64_t t = 0; t < count; ++t) task(t);
    launches_ = device_->counts().launches - before;
    return read_tensor(*device_, all);
  }

  int64_t launches_ = 0;  // of the last run
};

TEST_F(IndependentTasks, ComputeWhatTheyDoOneAfterAnother) {
  for (unsigned seed = 0; seed < 30; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    std::vector<std::vector<Call>> tasks(static_cast<size_t>(below(9) + 1));
    for (std::vector<Call>& task : tasks)
      for (int calls = below(12); calls > 0; --calls) {
        const int from = below(3);
        task.push_back({below(7), from, (from + 1 + below(2)) % 3, below(2) == 0 ? kSide : 7});
      }
    const std::vector<float> expected = run(tasks, false);
    const int64_t launches = launches_;
    EXPECT_EQ(run(tasks, true), expected);
    EXPECT_LE(launches_, device_->is_cuda() ? launches + 1 : launches);  // 1: of gemms' matrices
  }
}

TEST_F(IndependentTasks, ThatAreAlikeTakeTheLaunchesOfOne) {
  const std::vector<Call> task{{0, 0, 1, kSide}, {5, 1, 2, kSide}, {1, 2, 0, 7}, {6, 0, 1, 7}};
  const std::vector<float> expected = run({100, task}, false);
  EXPECT_EQ(launches_, 400);
  EXPECT_EQ(run({100, task}, true), expected);
  // Loops take a second launch where the parameters of the first are full, and there is one more
  // for the matrices of gemms: 3 of 100 times (1 + 2), 480 pointers at a time.
  if (device_->is_cuda()) {
    EXPECT_LE(launches_, 2 * 2 + 2 + 2);
  }
}

TEST_F(IndependentTasks, ThatFailLeaveTheDeviceAsItWas) {
  const auto fails = [&](int64_t i) {
    require(i < 1, "the second one");
    parallel_for(*device_, 0, Twice{nullptr, nullptr});
  };
  EXPECT_EQ(error_of([&] { device_->each_independent(3, fails); }), "the second one");
  const std::vector<std::vector<Call>> tasks(2, {{0, 0, 1, kSide}});
  EXPECT_EQ(run(tasks, true), run(tasks, false));
}

TEST_F(IndependentTasks, DoNotWait) {
  if (!device_->is_cuda()) GTEST_SKIP() << "this device does what it is told at once";
  const DeviceMemory memory(*device_, 8);
  float number = 0;
  EXPECT_NE(error_of([&] {
              device_->each_independent(
                  2, [&](int64_t) { device_->copy_to_host(&number, memory.data(), 4); });
            }).find("an independent task"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
