// What the runtime tells of the device.
#include "tests/cudaemu/fixture.h"

namespace cudaemu {
namespace {

TEST(EmulatedDevice, TellsOfItself) {
  int count = 0, device = 1, runtime, driver, value;
  EXPECT_EQ(cudaGetDeviceCount(&count), cudaSuccess);
  EXPECT_EQ(count, 1);
  EXPECT_EQ(cudaSetDevice(0), cudaSuccess);
  EXPECT_EQ(cudaSetDevice(1), cudaErrorInvalidDevice);
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
  EXPECT_EQ(cudaGetDeviceProperties(&properties, 1), cudaErrorInvalidDevice);
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidDevice);
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
