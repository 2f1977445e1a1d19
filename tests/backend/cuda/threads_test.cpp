// CUDA has a current device a thread; whose turn it is must not matter to ours.
#include <gtest/gtest.h>

#include <functional>
#include <thread>

#include "backend/cuda/inventory.h"
#include "tests/backend/cpu/convolver.h"

namespace orepa {
namespace {

class CudaThreads : public testing::Test {
 protected:
  void SetUp() override {
    if (!test_device()->is_cuda()) GTEST_SKIP() << "OREPA_TEST_DEVICE is no CUDA device";
    if (cuda::take_inventory().gpus.size() < 2) GTEST_SKIP() << "there is one CUDA device";
  }
};

// One number as image, kernel and product.
const ConvolutionGeometry kProduct{.input = {1, 1, 1, 1}, .kernel = {1, 1, 1, 1}};

// Each call in a thread of its own, whose current device is cuda:0.
TEST_F(CudaThreads, ADeviceWorksForOtherThreadsThanTheOneThatMadeIt) {
  std::unique_ptr<Device> device;
  std::shared_ptr<ConvolutionPlan> plan;
  DeviceMemory memory, workspace;
  std::unique_ptr<Event> event;
  float *x = nullptr, *packed = nullptr, *y = nullptr, product = 0, square = 0;
  const float number = 3;
  const std::function<void()> calls[] = {
      [&] { device = make_device("cuda:1"); },
      [&] { memory = DeviceMemory(*device, 3 * kAlignment); },
      [&] {
        x = static_cast<float*>(memory.data());
        packed = x + kAlignment / sizeof(float);
        y = packed + kAlignment / sizeof(float);
        device->copy_to_device(x, &number, sizeof number);
      },
      [&] { plan = device->convolution(kProduct); },
      [&] { workspace = DeviceMemory(*device, plan->forward_workspace()); },
      [&] { plan->pack(ConvolutionPlan::kForward, x, packed); },
      [&] { plan->forward(x, packed, nullptr, y, workspace.data()); },
      [&] { device->copy_to_host(&product, y, sizeof product); },
      [&] { device->zero(y, sizeof square); },
      [&] {
        device->gemm({.m = 1,
                      .n = 1,
                      .k = 1,
                      .a = x,
                      .lda = 1,
                      .b = packed,
                      .ldb = 1,
                      .beta = 1,
                      .c = y,
                      .ldc = 1});
      },
      [&] { event = device->event(); },
      [&] { event->record(); },
      [&] { device->wait(Queue::kCopy, *event); },
      [&] { event->wait(); },
      [&] { device->copy_to_host(&square, y, sizeof square); },
      [&] { device->synchronize(); },
      [&] { event.reset(); },
      [&] { memory = DeviceMemory(), workspace = DeviceMemory(); },
      [&] { plan.reset(); },
      [&] { device.reset(); },
  };
  for (const auto& call : calls) std::thread(call).join();
  EXPECT_EQ(product, number * number);
  EXPECT_EQ(square, number * number);
}

TEST_F(CudaThreads, TwoDevicesTakeTurnsInOneThread) {
  const ConvolutionGeometry geometry{
      .input = {2, 4, 6, 6}, .kernel = {8, 4, 3, 3}, .pad = {1, 1}, .bias = true};
  Convolver first(geometry, make_device("cuda:0")), second(geometry, make_device("cuda:1"));
  for (Convolver* convolver : {&first, &second, &first}) expect_definition(*convolver);
}

}  // namespace
}  // namespace orepa
