#include "orepa/update_rule.h"

#include <gtest/gtest.h>

#include "orepa/error.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

constexpr double kRate = 0.1, kMomentum = 0.9, kScale = 0.5, kL2 = 0.01, kL1 = 0.02;

// Five steps of one parameter of three numbers, one of them zero (where l1 does nothing), against
// the formulas in double, to the rounding of float.
template <class Formula>
void expect_steps(const std::string& type, bool rate_in_momentum, Formula formula) {
  const std::unique_ptr<Device> device = make_device("cpu");
  const std::unique_ptr<UpdateRule> rule = make_update_rule(type, "test");
  std::vector<float> weight{1, -2, 0}, history(3, 0.0f);
  std::vector<double> w{1, -2, 0}, v(3, 0.0);
  for (int step = 0; step < 5; ++step) {
    const std::vector<float> gradient{0.5f + step, 1.0f - step, step == 0 ? 0.0f : -1.0f};
    Update update;
    update.weight = weight.data();
    update.gradient = gradient.data();
    update.history = history.data();
    update.count = 3;
    const StepScale scale{kRate, kScale, 1};
    update.step = &scale;
    update.momentum = kMomentum;
    update.l2 = kL2;
    update.l1 = kL1;
    update.rate_in_momentum = rate_in_momentum;
    rule->apply(*device, update);
    for (int i = 0; i < 3; ++i) {
      const double sign = w[i] > 0 ? 1 : w[i] < 0 ? -1 : 0;
      formula(kScale * gradient[i] + kL2 * w[i] + kL1 * sign, v[i], w[i]);
      EXPECT_NEAR(weight[i], w[i], 1e-6 * (1 + std::abs(w[i]))) << type << " step " << step;
      EXPECT_NEAR(history[i], v[i], 1e-6 * (1 + std::abs(v[i]))) << type << " step " << step;
    }
  }
}

TEST(UpdateRule, SGDFollowsBothConventions) {
  expect_steps("SGD", true, [](double g, double& v, double& w) {
    v = kMomentum * v + kRate * g;
    w -= v;
  });
  expect_steps("SGD", false, [](double g, double& v, double& w) {
    v = kMomentum * v + g;
    w -= kRate * v;
  });
}

TEST(UpdateRule, NesterovFollowsBothConventions) {
  expect_steps("Nesterov", true, [](double g, double& v, double& w) {
    const double before = v;
    v = kMomentum * v + kRate * g;
    w -= (1 + kMomentum) * v - kMomentum * before;
  });
  expect_steps("Nesterov", false, [](double g, double& v, double& w) {
    v = kMomentum * v + g;
    w -= kRate * (g + kMomentum * v);
  });
}

TEST(UpdateRule, ChangesNothingWhereTheStepDoesNotProceed) {
  const std::unique_ptr<Device> device = make_device("cpu");
  const float gradient[] = {1, 2};
  for (const SolverType& type : solver_types()) {
    float weight[] = {3, 4}, history[] = {5, 6};
    const StepScale scale{kRate, kScale, 0};
    Update update;
    update.weight = weight;
    update.gradient = gradient;
    update.history = history;
    update.count = 2;
    update.step = &scale;
    type.make()->apply(*device, update);
    EXPECT_EQ(weight[0] + weight[1], 7) << type.name;
    EXPECT_EQ(history[0] + history[1], 11) << type.name;
  }
}

TEST(UpdateRule, UnknownTypesNameTheNearest) {
  const std::string message = error_of([] { make_update_rule("Nestrov", "solver.prototxt:1:1"); });
  EXPECT_EQ(message.rfind("solver.prototxt:1:1", 0), 0u) << message;
  EXPECT_NE(message.find("\"Nesterov\""), std::string::npos) << message;
}

}  // namespace
}  // namespace orepa
