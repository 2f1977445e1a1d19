#include "orepa/device.h"

#include <gtest/gtest.h>

#include <utility>

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
  const auto device = make_cpu_device();
  DeviceMemory first(*device, 100);
  void* const data = first.data();
  DeviceMemory second(std::move(first));
  EXPECT_EQ(second.data(), data);
  EXPECT_EQ(second.bytes(), 100);
  second = DeviceMemory(*device, 200);
  EXPECT_EQ(second.bytes(), 200);
}

TEST(DeviceMemory, OfNothingIsNull) {
  const auto device = make_cpu_device();
  EXPECT_EQ(DeviceMemory(*device, 0).data(), nullptr);
}

}  // namespace
}  // namespace orepa
