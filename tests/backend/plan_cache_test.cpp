#include "backend/plan_cache.h"

#include <gtest/gtest.h>

#include "tests/test_device.h"

namespace orepa {
namespace {

TEST(PlanCache, ForgetsWhatNobodyAskedForTheLongest) {
  PlanCache<int, int> cache;
  int made = 0;
  const auto of = [&](int geometry) {
    return cache.of(geometry, [&] {
      ++made;
      return std::make_unique<int>(geometry);
    });
  };
  const std::shared_ptr<int> zero = of(0), one = of(1);
  for (int geometry = 2; geometry < 1024; ++geometry) of(geometry);
  EXPECT_EQ(of(0), zero);
  EXPECT_EQ(made, 1024);
  EXPECT_EQ(*of(1024), 1024);  // in the place of 1
  EXPECT_EQ(of(0), zero);
  EXPECT_NE(of(1), one);
  EXPECT_EQ(*one, 1);
  EXPECT_EQ(made, 1026);
}

TEST(Plans, AreMadeOnceAGeometry) {
  const auto device = test_device();
  ConvolutionGeometry g{.input = {1, 16, 8, 8}, .kernel = {16, 16, 3, 3}};
  const auto plan = device->convolution(g);
  EXPECT_EQ(device->convolution(g), plan);
  g.input = {2, 16, 8, 8};
  EXPECT_NE(device->convolution(g), plan);
  EXPECT_EQ(device->convolution(g)->packed_layout(ConvolutionPlan::kForward),
            plan->packed_layout(ConvolutionPlan::kForward));
  if (device->is_cuda()) return;  // which reads every kernel as it lies
  g.kernel = {32, 16, 3, 3};
  EXPECT_NE(device->convolution(g)->packed_layout(ConvolutionPlan::kForward),
            plan->packed_layout(ConvolutionPlan::kForward));
}

}  // namespace
}  // namespace orepa
