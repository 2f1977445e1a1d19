#include "layers/exponential.h"

#include <gtest/gtest.h>

#include <limits>

namespace orepa {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// How many floats away `value` is from what it should be, at float's least for what is denormal.
double ulps(float value, double exact) {
  const auto rounded = static_cast<float>(exact);
  if (value == rounded) return 0;
  const float unit = std::nextafter(std::fabs(rounded), kInfinity) - std::fabs(rounded);
  return std::fabs(value - exact) / unit;
}

template <class Function, class Exact>
double worst(float from, float to, Function function, Exact exact) {
  double worst = 0;
  const int64_t steps = 1 << 18;
  for (int64_t i = 0; i <= steps; ++i) {
    const float share = static_cast<float>(i) / static_cast<float>(steps);
    const float x = from + (to - from) * share;
    worst = std::max(worst, ulps(function(x), exact(static_cast<double>(x))));
  }
  return worst;
}

// Also of what is ever closer to 0.
template <class Function, class Exact>
double worst_of_small(float from, Function function, Exact exact) {
  double worst = 0;
  for (float x = from; std::fabs(x) > 1e-37f; x *= 0.97f)
    worst = std::max(worst, ulps(function(x), exact(static_cast<double>(x))));
  return worst;
}

TEST(Exponential, IsTheLibrarys) {
  const auto exact = [](double x) { return std::exp(x); };
  EXPECT_LT(worst(-87, 88.7f, exponential, exact), 3);
  EXPECT_LT(worst(-103.9f, -87, exponential, exact), 3);  // denormal
  EXPECT_LT(worst_of_small(-1, exponential, exact), 3);
  EXPECT_EQ(exponential(0), 1);
  EXPECT_EQ(exponential(-0.0f), 1);
  for (const float x : {88.8f, 100.0f, 1e30f, kInfinity}) EXPECT_EQ(exponential(x), kInfinity);
  for (const float x : {-104.0f, -1e30f, -kInfinity}) EXPECT_EQ(exponential(x), 0);
  EXPECT_TRUE(std::isnan(exponential(kNaN)));
}

TEST(Exponential, LessOneIsTheLibrarys) {
  const auto exact = [](double x) { return std::expm1(x); };
  EXPECT_LT(worst(-45, 0, exponential_less_one, exact), 3);
  EXPECT_LT(worst_of_small(-1, exponential_less_one, exact), 3);
  EXPECT_EQ(exponential_less_one(-kInfinity), -1);
  EXPECT_EQ(exponential_less_one(0), 0);
  EXPECT_TRUE(std::isnan(exponential_less_one(kNaN)));
}

TEST(Exponential, MakesTheLogistic) {
  const auto exact = [](double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_LT(worst(-87, 87, logistic, exact), 4);
  EXPECT_EQ(logistic(-kInfinity), 0);
  EXPECT_EQ(logistic(kInfinity), 1);
  EXPECT_TRUE(std::isnan(logistic(kNaN)));
}

TEST(Exponential, MakesTheHyperbolicTangent) {
  const auto exact = [](double x) { return std::tanh(x); };
  EXPECT_LT(worst(-12, 12, hyperbolic_tangent, exact), 3);
  EXPECT_LT(worst_of_small(-1, hyperbolic_tangent, exact), 3);
  EXPECT_EQ(hyperbolic_tangent(kInfinity), 1);
  EXPECT_EQ(hyperbolic_tangent(-kInfinity), -1);
  EXPECT_EQ(hyperbolic_tangent(0), 0);
  EXPECT_TRUE(std::isnan(hyperbolic_tangent(kNaN)));
}

TEST(Logarithm, IsTheLibrarys) {
  const auto exact = [](double x) { return std::log(x); };
  EXPECT_LT(worst(0.001f, 3, logarithm, exact), 3);
  EXPECT_LT(worst(3, 1e6f, logarithm, exact), 3);
  EXPECT_LT(worst(1e-44f, 1e-37f, logarithm, exact), 3);
  for (float x = 1e-30f; x < 1e38f; x *= 1.01f) EXPECT_LT(ulps(logarithm(x), std::log(x)), 3);
  EXPECT_EQ(logarithm(1), 0);
  EXPECT_EQ(logarithm(0), -kInfinity);
  EXPECT_EQ(logarithm(-0.0f), -kInfinity);
  EXPECT_EQ(logarithm(kInfinity), kInfinity);
  for (const float x : {-1.0f, -1e-40f, -kInfinity, kNaN}) EXPECT_TRUE(std::isnan(logarithm(x)));
}

TEST(Logarithm, OfOneAndIsTheLibrarys) {
  const auto exact = [](double x) { return std::log1p(x); };
  EXPECT_LT(worst(0, 1, logarithm_of_one_and, exact), 3);
  EXPECT_LT(worst_of_small(1, logarithm_of_one_and, exact), 3);
  EXPECT_TRUE(std::isnan(logarithm_of_one_and(kNaN)));
}

TEST(Raise, IsTheLibrarys) {
  for (const float power : {0.7f, -0.3f, 0.5f, -2.0f, 3.0f, 7.5f, -1.0f}) {
    const Raise raise(power);
    const auto exact = [&](double x) { return std::pow(x, static_cast<double>(power)); };
    EXPECT_LT(worst(0.01f, 3, raise, exact), 2 + std::fabs(power)) << power;
    for (float x = 1e-30f; x < 1e38f; x *= 1.01f) {
      const double value = exact(x);
      if (value > 1e-37 && value < 3e38) {
        EXPECT_LT(ulps(raise(x), value), 2 + std::fabs(power)) << x << "^" << power;
      }
    }
    for (const float x : {0.0f, 1e-44f, 1.0f, -2.0f, kInfinity}) {
      const float value = std::pow(x, power);
      if (std::isnan(value)) {
        EXPECT_TRUE(std::isnan(raise(x))) << x << "^" << power;
      } else {
        EXPECT_FLOAT_EQ(raise(x), value) << x << "^" << power;
      }
    }
    EXPECT_TRUE(std::isnan(raise(kNaN)));
  }
  for (const float x : {1.42f, 10.0f, 1e30f}) {
    EXPECT_EQ(Raise(1000)(x), kInfinity) << x;
    EXPECT_EQ(Raise(-1000)(x), 0) << x;
  }
}

}  // namespace
}  // namespace orepa
