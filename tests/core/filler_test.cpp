#include <gtest/gtest.h>

#include <cmath>

#include "orepa/error.h"
#include "orepa/model_io.h"
#include "orepa/params.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

std::vector<float> fill(const Filler& filler, const Shape& shape, uint64_t seed = 1,
                        const std::string& purpose = "layer/weight") {
  std::vector<float> values(static_cast<size_t>(shape.count()));
  filler.fill(shape, seed, purpose, values.data());
  return values;
}

Filler named(const std::string& type) {
  Filler filler;
  filler.type = type;
  return filler;
}

struct Moments {
  double mean = 0, deviation = 0, least = 0, largest = 0;
};

Moments moments(const std::vector<float>& values) {
  Moments m;
  m.least = m.largest = values[0];
  for (const double v : values) {
    m.mean += v / static_cast<double>(values.size());
    m.least = std::min(m.least, v);
    m.largest = std::max(m.largest, v);
  }
  for (const double v : values)
    m.deviation += (v - m.mean) * (v - m.mean) / static_cast<double>(values.size());
  m.deviation = std::sqrt(m.deviation);
  return m;
}

// 30 x 20 x 5 x 5 = 15,000 numbers: a mean is off by 1/122 deviations, one in 10^4 by four times
// that.
const Shape kShape{30, 20, 5, 5};
constexpr double kMeanError = 4.0 / 122;

void expect_uniform(const std::vector<float>& values, double bound) {
  const Moments m = moments(values);
  EXPECT_NEAR(m.mean / bound, 0, kMeanError);
  EXPECT_NEAR(m.deviation * std::sqrt(3.0) / bound, 1, kMeanError);
  EXPECT_GE(m.least, -bound);
  EXPECT_LE(m.largest, bound);
  EXPECT_GT(m.largest, 0.99 * bound);
}

TEST(Filler, Constant) {
  EXPECT_EQ(fill(Filler::constant(2.5), {3}), std::vector<float>(3, 2.5f));
  EXPECT_EQ(fill(Filler::constant(2.5), {}), std::vector<float>(1, 2.5f));
}

TEST(Filler, Uniform) {
  Filler filler = named("uniform");
  filler.min = -3, filler.max = 3;
  expect_uniform(fill(filler, kShape), 3);
}

TEST(Filler, Gaussian) {
  Filler filler = named("gaussian");
  filler.mean = 0.5, filler.std = 2;
  const Moments m = moments(fill(filler, kShape));
  EXPECT_NEAR((m.mean - 0.5) / 2, 0, kMeanError);
  EXPECT_NEAR(m.deviation / 2, 1, kMeanError);
}

TEST(Filler, SparseGaussianKeepsSoManyForEachOutputOnAverage) {
  Filler filler = named("gaussian");
  filler.sparse = 6;  // of 30: a fifth stays
  const std::vector<float> values = fill(filler, kShape);
  const double kept =
      static_cast<double>(values.size() - std::count(values.begin(), values.end(), 0.0f));
  EXPECT_NEAR(kept / static_cast<double>(values.size()), 0.2, 4 * 0.4 / 122);
}

TEST(Filler, PositiveUnitball) {
  const std::vector<float> values = fill(named("positive_unitball"), {4, 25});
  for (int unit = 0; unit < 4; ++unit) {
    double sum = 0;
    for (int i = 0; i < 25; ++i) {
      EXPECT_GE(values[unit * 25 + i], 0);
      sum += values[unit * 25 + i];
    }
    EXPECT_NEAR(sum, 1, 1e-6);
  }
}

TEST(Filler, XavierAndMsraTakeEveryNormOfVariance) {
  const double in = 20 * 25, out = 30 * 25;
  for (const auto& [norm, fan] :
       {std::pair{"FAN_IN", in}, {"FAN_OUT", out}, {"AVERAGE", (in + out) / 2}}) {
    Filler xavier = named("xavier"), msra = named("msra");
    xavier.variance_norm = msra.variance_norm = norm;
    expect_uniform(fill(xavier, kShape), std::sqrt(3 / fan));
    EXPECT_NEAR(moments(fill(msra, kShape)).deviation / std::sqrt(2 / fan), 1, kMeanError) << norm;
  }
}

TEST(Filler, KaimingUniform) {
  expect_uniform(fill(Filler::kaiming_uniform(0), kShape), std::sqrt(6.0 / 500));
  expect_uniform(fill(Filler::kaiming_uniform(std::sqrt(5.0)), kShape), std::sqrt(1.0 / 500));
}

// Caffe's documentation: for a factor of 2 the kernel is the outer product of 1/4, 3/4, 3/4, 1/4.
TEST(Filler, Bilinear) {
  const float side[] = {0.25f, 0.75f, 0.75f, 0.25f};
  const std::vector<float> values = fill(named("bilinear"), {2, 1, 4, 4});
  for (int i = 0; i < 32; ++i) EXPECT_EQ(values[i], side[i / 4 % 4] * side[i % 4]) << i;
  EXPECT_THROW(fill(named("bilinear"), {2, 1, 3, 4}), Error);
}

TEST(Filler, Identity) {
  EXPECT_EQ(fill(named("identity"), {3, 2, 1, 1}), (std::vector<float>{1, 0, 0, 1, 1, 0}));
}

TEST(Filler, IsAFunctionOfSeedAndPurpose) {
  const Filler filler = Filler::kaiming_uniform(0);
  EXPECT_EQ(fill(filler, {100}), fill(filler, {100}));
  EXPECT_NE(fill(filler, {100}), fill(filler, {100}, 2));
  EXPECT_NE(fill(filler, {100}), fill(filler, {100}, 1, "layer/bias"));
}

TEST(Filler, UnknownTypeNamesTheNearest) {
  const NetSpec spec = NetSpec::parse(
      "layer { name: \"ip\" type: \"InnerProduct\"\n inner_product_param { weight_filler { type: "
      "\"gausian\" } } }",
      "net.prototxt");
  const Options options = spec.layers()[0].message("inner_product_param");
  EXPECT_EQ(error_of([&] { Filler::from(options, "weight_filler", Filler()); }),
            "net.prototxt:2:40: unknown filler \"gausian\"; did you mean \"gaussian\"?");
}

TEST(Filler, SaysWhereItStands) {
  const NetSpec net = NetSpec::parse(
      "layer {\n convolution_param { weight_filler { type: 'bilinear' } } }", "net.prototxt");
  const Filler filler =
      Filler::from(net.layers()[0].message("convolution_param"), "weight_filler", Filler());
  EXPECT_EQ(error_of([&] { fill(filler, {3}); }),
            "net.prototxt:2:22: filler \"bilinear\" needs a square kernel, got 3");
}

}  // namespace
}  // namespace orepa
