#include "solvers/step_totals.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/test_device.h"

namespace orepa {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Parameters "l/a" of two numbers and "l/factor" of one, whose gradient comes late.
class Totals : public testing::Test {
 protected:
  Totals() : a_(declare("a", 2, false)), factor_(declare("factor", 1, true)) {
    parameters_.allocate();
    factor_memory_ = DeviceMemory(*device_, sizeof(float));
  }
  Parameter& declare(const std::string& name, int64_t count, bool factor) {
    Parameter parameter;
    parameter.layer = "l";
    parameter.name = name;
    parameter.factor = factor;
    return parameters_.declare(std::move(parameter), {count});
  }
  void add(StepTotals& totals, Parameter& parameter, const std::vector<float>& gradient) {
    if (parameter.factor) parameter.gradient = {static_cast<float*>(factor_memory_.data()), {1}};
    write_tensor(*device_, parameter.gradient, gradient);
    totals.add({&parameter});
  }
  void add_loss(StepTotals& totals, double loss) {
    device_->copy_to_device(totals.loss(), &loss, sizeof loss);
    device_->synchronize();
  }
  StepScale scale(const StepTotals& totals) {
    StepScale scale;
    device_->copy_to_host(&scale, totals.scale(), sizeof scale);
    return scale;
  }

  const std::unique_ptr<Device> device_ = test_device();
  Parameters parameters_{*device_, 1, true};
  Parameter &a_, &factor_;
  DeviceMemory factor_memory_;
};

TEST_F(Totals, ScaleTheGradientsToTheirLargestNorm) {
  StepTotals totals(parameters_, 2, 10);
  for (const float factor : {0.0f, 12.0f}) {  // norms 5 and 13
    totals.send_rate({0.25, 1, 1, {}});
    totals.begin();
    add_loss(totals, 6);
    add(totals, a_, {3, 4});
    add(totals, factor_, {factor});
    totals.decide();
    totals.send(7);
    EXPECT_EQ(scale(totals).rate, 0.25);
    EXPECT_EQ(scale(totals).gradient, factor == 0 ? 0.5f : static_cast<float>(10. / 13 / 2));
    EXPECT_EQ(scale(totals).proceed, 1);
    const auto step = totals.read(true);
    ASSERT_TRUE(step);
    EXPECT_EQ(step->iteration, 7);
    EXPECT_EQ(step->loss, 3);
    EXPECT_EQ(step->not_finite, nullptr);
  }
  EXPECT_FALSE(totals.read(true));
}

TEST_F(Totals, StopAtAGradientThatIsNotFiniteAndStayStopped) {
  StepTotals totals(parameters_, 1, -1);
  totals.send_rate({1, 1, 1, {}});
  totals.begin();
  add(totals, a_, {kNan, 1});
  totals.decide();
  totals.send(0);
  totals.send_rate({1, 1, 1, {}});
  totals.begin();
  add(totals, a_, {1, 1});
  totals.decide();
  totals.send(1);
  EXPECT_EQ(scale(totals).proceed, 0);
  EXPECT_EQ(totals.pending(), 2);
  EXPECT_EQ(totals.read(true)->not_finite, &a_);
  EXPECT_EQ(totals.read(true)->not_finite, nullptr);
}

TEST_F(Totals, StopAtALossThatIsNotFinite) {
  StepTotals totals(parameters_, 1, -1);
  totals.send_rate({1, 1, 1, {}});
  totals.begin();
  add_loss(totals, kNan);
  totals.decide();
  EXPECT_EQ(scale(totals).proceed, 0);
}

TEST_F(Totals, StopAtAFactorBehindTheDecision) {
  StepTotals totals(parameters_, 1, -1);
  totals.send_rate({1, 1, 1, {}});
  totals.begin();
  add(totals, a_, {1, 2});
  totals.decide();
  EXPECT_EQ(scale(totals).proceed, 1);
  add(totals, factor_, {kNan});
  totals.check({&a_, &factor_});
  totals.send(0);
  EXPECT_EQ(scale(totals).proceed, 0);
  EXPECT_EQ(totals.read(true)->not_finite, &factor_);
}

// 1e25 squared is no float.
TEST_F(Totals, CountLargeGradientsAsFinite) {
  StepTotals totals(parameters_, 1, 1);
  totals.send_rate({1, 1, 1, {}});
  totals.begin();
  add(totals, a_, {1e25f, 0});
  totals.decide();
  EXPECT_EQ(scale(totals).proceed, 1);
  EXPECT_EQ(scale(totals).gradient, static_cast<float>(1 / double{1e25f}));
}

}  // namespace
}  // namespace orepa
