#include "orepa/device.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <utility>

#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

TEST(ConvolutionGeometry, RoundsExtentsDown) {
  ConvolutionGeometry g{.input = {2, 6, 224, 223}, .kernel = {10, 3, 7, 7}, .groups = 2};
  EXPECT_EQ(g.output(), (Shape{2, 10, 218, 217}));
  g.stride = {2, 3};
  g.pad = {3, 0};
  EXPECT_EQ(g.output(), (Shape{2, 10, 112, 73}));
  g.dilation = {2, 4};
  EXPECT_EQ(g.output(), (Shape{2, 10, 109, 67}));
}

TEST(ConvolutionGeometry, HasNoOutputWhereTheKernelDoesNotFit) {
  const ConvolutionGeometry g{.input = {1, 1, 2, 3}, .kernel = {1, 1, 3, 3}};
  EXPECT_EQ(g.output(), (Shape{1, 1, 0, 1}));
}

TEST(DeviceMemory, MovesItsOneOwner) {
  const auto device = test_device();
  DeviceMemory first(*device, 100);
  void* const data = first.data();
  DeviceMemory second(std::move(first));
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second.bytes(), 100);
  second = DeviceMemory(*device, 200);
  EXPECT_EQ(second.bytes(), 200);
}

TEST(DeviceMemory, OfNothingIsNull) {
  const auto device = test_device();
  EXPECT_EQ(DeviceMemory(*device, 0).data(), nullptr);
}

// OpenMP ends the process where the system refuses it a thread.
TEST(CpuDevice, RefusesMoreThreadsThanASystemHas) {
  const int threads = omp_get_max_threads();
  omp_set_num_threads(100'000);
  EXPECT_NE(error_of([] { make_device("cpu"); }).find("OMP_NUM_THREADS asks for 100000 threads"),
            std::string::npos);
  omp_set_num_threads(threads);
}

}  // namespace
}  // namespace orepa
