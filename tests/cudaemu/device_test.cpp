// What the runtime tells of the device.
#include <thread>

#include "tests/cudaemu/fixture.h"
#include "tests/cudaemu/settings.h"

namespace cudaemu {
namespace {

TEST(EmulatedDevice, TellsOfItself) {
  int count = 0, device = 7, runtime, driver, value;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 3);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(3), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetDevice(&device), cudaSuccess);
  EXPECT_EQ(device, 0);
  EXPECT_EQ(cudaRuntimeGetVersion(&runtime), cudaSuccess);
  EXPECT_EQ(cudaDriverGetVersion(&driver), cudaSuccess);
  EXPECT_EQ(runtime, CUDART_VERSION);
  EXPECT_EQ(driver, runtime);
  cudaDeviceProp properties;
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 0), cudaSuccess);
  EXPECT_EQ(properties.major, 9);
  EXPECT_EQ(cudaDeviceGetAttribute(&value, cudaDevAttrComputeCapabilityMajor, 0), cudaSuccess);
  EXPECT_EQ(value, properties.major);
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 3), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
}

TEST(EmulatedDevice, IsChosenByEachThread) {
  EXPECT_EQ(cudaSetDevice(1), cudaSuccess);
  int device = 7;
  std::thread([&] { cudaGetDevice(&device); }).join();
  EXPECT_EQ(device, 0);
  cudaGetDevice(&device);
  EXPECT_EQ(device, 1);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
}

class TwoDevicesDeathTest : public Emulation {
 protected:
  ~TwoDevicesDeathTest() override { cudaSetDevice(0); }
};

TEST_F(TwoDevicesDeathTest, AStreamWorksWhereItsDeviceIsCurrent) {
  float* x = device(ascending(4));
  EXPECT_EQ(launch(stream_, 1, 4, add_one, x, x), cudaSuccess);
  cudaSetDevice(1);
  EXPECT_DEATH(launch(stream_, 1, 4, add_one, x, x),
               "the stream is of device 0, and device 1 is the thread's current one");
  cudaEvent_t event;
  EXPECT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event, stream_), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidResourceHandle);
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(TwoDevicesDeathTest, ADeviceHasItsOwnMemory) {
  if (!settings().guard) GTEST_SKIP() << "all memory is opened at once";
  cudaSetDevice(1);
  float* x = device(4);
  cudaSetDevice(0);
  EXPECT_DEATH(
      {
        launch(stream_, 1, 4, add_one, x, x);
        cudaStreamSynchronize(stream_);
      },
      "device 0 uses memory of device 1; in kernel");
}

TEST(EmulatedDeviceDeathTest, RefusesOtherSettings) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto start = [](const char* name, const char* value) {
    setenv(name, value, 1);
    void* memory;
    cudaMalloc(&memory, 4);
  };
  EXPECT_DEATH(start("CUDAEMU_ORDER", "3"), "CUDAEMU_ORDER is \"3\"; a number from 0 to 2");
  EXPECT_DEATH(start("CUDAEMU_GUARD", "off"), "CUDAEMU_GUARD is \"off\"; a number from 0 to 1");
}

}  // namespace
}  // namespace cudaemu
