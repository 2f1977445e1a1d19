// The rule of running statistics: r = 1 / (1 + f n), running += r (batch - running), n = 1 + f n.
#include <gtest/gtest.h>

#include "tests/layers/layer_bench.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// mean, variance and factor after two passes over one channel with the batch 1, 3 (mean 2, unbiased
// variance 2).
std::vector<float> after_two_passes(const std::string& options, const Values& batch = {1, 3}) {
  const auto device = test_device();
  LayerBench bench(
      *device,
      "layer { name: \"bn\" type: \"BatchNorm\" top: \"y\" batch_norm_param { " + options + " } }",
      {{static_cast<int64_t>(batch.size()), 1}}, {});
  bench.set_input(0, batch);
  for (int pass = 0; pass < 2; ++pass) {
    bench.forward();
    for (int i = 0; i < 3; ++i) bench.set_parameter(i, bench.read_parameter(i));
  }
  return {bench.parameter(0)[0], bench.parameter(1)[0], bench.parameter(2)[0]};
}

void expect_near(const std::vector<float>& got, const std::vector<float>& wanted) {
  for (size_t i = 0; i < wanted.size(); ++i)
    EXPECT_NEAR(got[i], wanted[i], 4e-7 * wanted[i]) << i;  // some units in the last place
}

// From (0, 1): 2 (1 - f^2), f^2 + 2 (1 - f^2); n stays.
TEST(BatchNormStatistics, AMovingAverageByDefault) {
  expect_near(after_two_passes("moving_average_fraction: 0.9"), {0.38f, 1.19f, 10});
}

// The average of all batches so far, whatever stood there before.
TEST(BatchNormStatistics, CaffesAverage) {
  expect_near(after_two_passes("moving_average_fraction: 0.9 caffe_averaging: true"), {2, 2, 1.9f});
}

TEST(BatchNormStatistics, OneValueAChannelHasNoCorrection) {
  expect_near(after_two_passes("moving_average_fraction: 0.5", {4}), {3, 0.25f, 2});
}

TEST(BatchNormStatistics, GivenOnesStay) {
  expect_near(after_two_passes("moving_average_fraction: 0.5 use_global_stats: true"), {0, 1, 2});
}

}  // namespace
}  // namespace orepa
