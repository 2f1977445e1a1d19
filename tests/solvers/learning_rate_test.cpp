#include "solvers/learning_rate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "orepa/error.h"
#include "orepa/model_io.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

constexpr int64_t kPerEpoch = 10, kLast = 100;

std::vector<double> rates(const std::string& text) {
  const SolverSpec spec = SolverSpec::parse(text, "solver.prototxt");
  const LearningRate rate(spec.options(), kPerEpoch, kLast);
  std::vector<double> all;
  for (int64_t i = 0; i <= kLast; ++i) all.push_back(rate.at(i));
  return all;
}

template <class Formula>
void expect_rates(const std::string& text, Formula formula) {
  const std::vector<double> got = rates(text);
  // Fields of a SolverParameter are float.
  for (int i = 0; i <= kLast; ++i) EXPECT_NEAR(got[i], formula(i), 1e-6) << text << " at " << i;
}

TEST(LearningRate, FollowsCaffesPolicies) {
  expect_rates("base_lr: 0.5", [](int) { return 0.5; });
  expect_rates("base_lr: 0.5 lr_policy: 'fixed'", [](int) { return 0.5; });
  expect_rates("base_lr: 0.5 lr_policy: 'step' gamma: 0.5 stepsize: 30",
               [](int i) { return 0.5 * std::pow(0.5, i / 30); });
  expect_rates("base_lr: 0.5 lr_policy: 'exp' gamma: 0.9",
               [](int i) { return 0.5 * std::pow(0.9, i); });
  expect_rates("base_lr: 0.5 lr_policy: 'inv' gamma: 0.1 power: 0.75",
               [](int i) { return 0.5 * std::pow(1 + 0.1 * i, -0.75); });
  expect_rates("base_lr: 0.5 lr_policy: 'multistep' gamma: 0.1 stepvalue: 20 stepvalue: 70",
               [](int i) { return i < 20   ? 0.5
                                  : i < 70 ? 0.05
                                           : 0.005; });
  expect_rates("base_lr: 0.5 lr_policy: 'poly' power: 1.5",
               [](int i) { return 0.5 * std::pow(1 - i / 100.0, 1.5); });
  expect_rates("base_lr: 0.5 lr_policy: 'sigmoid' gamma: -0.1 stepsize: 50",
               [](int i) { return 0.5 / (1 + std::exp(0.1 * (i - 50))); });
}

TEST(LearningRate, FollowsACosine) {
  expect_rates("base_lr: 0.5 lr_policy: 'cosine' min_lr: 0.1",
               [](int i) { return 0.3 + 0.2 * std::cos(M_PI * i / 100); });
  EXPECT_EQ(rates("base_lr: 0.5 lr_policy: 'cosine'").back(), 0);
}

TEST(LearningRate, WarmsUpLinearlyToWhatThePolicySaysThen) {
  const std::vector<double> got =
      rates("base_lr: 1 lr_policy: 'poly' power: 1 warmup_iter: 20 warmup_start_lr: 0.2");
  for (int i = 1; i < 20; ++i)  // equal steps
    EXPECT_NEAR(got[i] - got[i - 1], (0.8 - 0.2) / 20, 1e-6) << i;
  EXPECT_GT(got[0], 0.2 - 1e-6);
  EXPECT_NEAR(got[20], 0.8, 1e-6);
  EXPECT_NEAR(got[60], 0.4, 1e-6);
}

TEST(LearningRate, CountsEpochs) {
  EXPECT_EQ(rates("base_lr: 0.5 lr_policy: 'step' gamma: 0.5 stepsize_epoch: 2.5"),
            rates("base_lr: 0.5 lr_policy: 'step' gamma: 0.5 stepsize: 25"));
  EXPECT_EQ(rates("base_lr: 0.5 lr_policy: 'multistep' gamma: 0.5 stepvalue_epoch: 2 "
                  "stepvalue_epoch: 7"),
            rates("base_lr: 0.5 lr_policy: 'multistep' gamma: 0.5 stepvalue: 20 stepvalue: 70"));
  EXPECT_EQ(rates("base_lr: 0.5 lr_policy: 'cosine' warmup_epoch: 2"),
            rates("base_lr: 0.5 lr_policy: 'cosine' warmup_iter: 20"));
}

std::string error(const std::string& text) {
  return error_of([&] { rates(text); });
}

TEST(LearningRate, SaysWhatIsWrongAndWhere) {
  EXPECT_NE(error("lr_policy: 'fixed'").find("base_lr"), std::string::npos);
  EXPECT_NE(error("\n  base_lr: -1").find("solver.prototxt:2:3"), std::string::npos);
  const std::string unknown = error("base_lr: 1\nlr_policy: 'steps'");
  EXPECT_NE(unknown.find("solver.prototxt:2:1"), std::string::npos) << unknown;
  EXPECT_NE(unknown.find("\"step\""), std::string::npos) << unknown;
  EXPECT_NE(error("base_lr: 1 lr_policy: 'step' gamma: 0.1").find("stepsize"), std::string::npos);
  EXPECT_NE(error("base_lr: 1\nwarmup_iter: -5").find("solver.prototxt:2:1"), std::string::npos);
}

// Without gamma the proto's default is 0, and the rate with it.
TEST(LearningRate, APolicyWithoutItsFieldsIsRefused) {
  const std::string cases[][2] = {
      {"'step' stepsize: 5", "needs gamma"},
      {"'exp'", "needs gamma"},
      {"'multistep' stepvalue: 5", "needs gamma"},
      {"'multistep' gamma: 0.1", "needs stepvalue or stepvalue_epoch"},
      {"'inv' power: 1", "needs gamma"},
      {"'inv' gamma: 1", "needs power"},
      {"'poly'", "needs power"},
      {"'sigmoid' stepsize: 5", "needs gamma"},
      {"'sigmoid' gamma: 1", "needs stepsize or stepsize_epoch"},
      {"'step' gamma: 0.1 stepsize: 0", "needs a positive stepsize"},
      {"'multistep' gamma: 0.1 stepvalue: 7 stepvalue: 5", "must ascend"},
  };
  for (const auto& [policy, says] : cases) {
    const std::string message = error("base_lr: 1\nlr_policy: " + policy);
    EXPECT_NE(message.find(says), std::string::npos) << policy << "\n" << message;
    EXPECT_EQ(message.find("solver.prototxt:2:"), 0u) << message;
  }
}

TEST(LearningRate, APolicyLikeNoneIsToldWhatThereIs) {
  const std::string plateau = error("base_lr: 1 lr_policy: 'plateau'");
  EXPECT_EQ(plateau.find("did you mean"), std::string::npos) << plateau;
  EXPECT_NE(plateau.find("fixed, step, exp, inv, multistep, poly, sigmoid, cosine"),
            std::string::npos)
      << plateau;
}

TEST(LearningRate, LengthsAreBoundedAndGivenOnce) {
  const std::string epochs =
      error("base_lr: 1 lr_policy: 'step' gamma: 0.1\nstepsize_epoch: 1e300");
  EXPECT_EQ(epochs.find("solver.prototxt:2:1: stepsize_epoch"), 0u) << epochs;
  for (const char* both : {"warmup_iter: 1 warmup_epoch: 1", "stepsize: 1 stepsize_epoch: 1",
                           "stepvalue: 1 stepvalue_epoch: 1"})
    EXPECT_NE(error(std::string("base_lr: 1 ") + both).find("not both"), std::string::npos) << both;
}

TEST(LearningRate, MustBeFinite) {
  // 1e30^10 and more is beyond a double from iteration 11 on.
  const std::string message = error("base_lr: 1 gamma: 1e30\nlr_policy: 'exp'");
  EXPECT_EQ(message.find("solver.prototxt:2:1: the rate of iteration 11 would be inf"), 0u)
      << message;
}

}  // namespace
}  // namespace orepa
