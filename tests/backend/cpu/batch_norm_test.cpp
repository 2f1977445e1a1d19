// Batch normalisation against its definition in double, at every rank, with all that may be left
// out.
#include "tests/backend/cpu/numbers.h"
#include "tests/comparison.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Sums of up to 10^3 floats; dx is a difference of three terms.
constexpr double kTolerance = 1e-5;
constexpr double kNarrowTolerance = 1.0 / 256;  // of what is rounded to bfloat16, by 2^-9

struct Case {
  const char* name;
  Shape shape;
  bool relu = false;
  bool affine = true;  // scale and shift are given
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

// The channel of element i, as stored.
int64_t channel(const Shape& shape, int64_t i) {
  return shape.rank() == 4 ? i % shape[1] : i / shape.count(2, shape.rank()) % shape[1];
}

struct Reference {
  Reference(const Case& c, const Values& x, const Values& scale, const Values& shift, double eps)
      : shape(c.shape),
        relu(c.relu),
        x(x.begin(), x.end()),
        scale(scale.begin(), scale.end()),
        shift(shift.begin(), shift.end()),
        mean(scale.size()),
        variance(scale.size()),
        eps(eps) {
    for (size_t i = 0; i < x.size(); ++i) mean[channel(shape, i)] += x[i] / per_channel();
    for (size_t i = 0; i < x.size(); ++i) {
      const double deviation = x[i] - mean[channel(shape, i)];
      variance[channel(shape, i)] += deviation * deviation / per_channel();
    }
  }
  double per_channel() const { return static_cast<double>(x.size()) / scale.size(); }
  double normal(size_t i) const {
    const int64_t c = channel(shape, i);
    return (x[i] - mean[c]) / std::sqrt(variance[c] + eps);
  }
  double open(size_t i) const {
    const int64_t c = channel(shape, i);
    return normal(i) * scale[c] + shift[c];
  }
  std::vector<double> y() const {
    std::vector<double> y(x.size());
    for (size_t i = 0; i < y.size(); ++i) y[i] = relu ? std::max(0.0, open(i)) : open(i);
    return y;
  }
  void backward(const Values& dy) {
    dx.assign(x.size(), 0);
    dscale.assign(scale.size(), 0);
    dshift.assign(scale.size(), 0);
    const auto passed = [&](size_t i) { return relu && open(i) <= 0 ? 0.0 : double{dy[i]}; };
    for (size_t i = 0; i < x.size(); ++i) {
      dscale[channel(shape, i)] += passed(i) * normal(i);
      dshift[channel(shape, i)] += passed(i);
    }
    for (size_t i = 0; i < x.size(); ++i) {
      const int64_t c = channel(shape, i);
      dx[i] = scale[c] / std::sqrt(variance[c] + eps) *
              (passed(i) - (dshift[c] + normal(i) * dscale[c]) / per_channel());
    }
  }

  Shape shape;
  bool relu;
  std::vector<double> x, scale, shift, mean, variance, dx, dscale, dshift;
  double eps;
};

class BatchNorms : public testing::TestWithParam<Case> {
 protected:
  static void expect_definition(const Case& c, DType type) {
    const float eps = 1e-3f;
    const double tolerance = type == DType::kFloat32 ? kTolerance : kNarrowTolerance;
    const int64_t channels = c.shape[1];
    const Values ones(channels, 1), zeros(channels, 0);
    const Values scale = c.affine ? random_numbers(channels, "scale") : ones;
    const Values shift = c.affine ? random_numbers(channels, "shift") : zeros;
    const Values x = random_numbers(c.shape.count(), "x", type);
    const Values dy = random_numbers(c.shape.count(), "dy", type);
    Reference reference(c, x, scale, shift, eps);
    reference.backward(dy);

    const auto device = test_device();
    const auto plan =
        device->batch_norm({.shape = c.shape, .eps = eps, .relu = c.relu, .type = type});
    const Buffer bx(*device, x, type), bscale(*device, scale), bshift(*device, shift);
    const int64_t row = channels * static_cast<int64_t>(sizeof(float));
    const Buffer y(*device, c.shape.bytes(type), type), mean(*device, row), variance(*device, row);
    const Buffer saved(*device, plan->saved_bytes());
    const Buffer forward_workspace(*device, plan->forward_workspace());
    plan->forward(bx.data(), bscale.data(), bshift.data(), y.data(), mean.data(), variance.data(),
                  saved.data(), forward_workspace.data());
    expect_close(y.values(), reference.y(), tolerance, "y");
    expect_close(mean.values(), reference.mean, kTolerance, "mean");
    expect_close(variance.values(), reference.variance, kTolerance, "variance");

    const Buffer bdy(*device, dy, type), dx(*device, c.shape.bytes(type), type);
    const Buffer dscale(*device, row), dshift(*device, row);
    const Buffer workspace(*device, plan->backward_workspace());
    plan->backward(bx.data(), bdy.data(), bscale.data(), mean.data(), variance.data(), saved.data(),
                   dx.data(), dscale.data(), dshift.data(), workspace.data());
    expect_close(dx.values(), reference.dx, tolerance, "dx");
    expect_close(dscale.values(), reference.dscale, kTolerance, "dscale");
    expect_close(dshift.values(), reference.dshift, kTolerance, "dshift");

    plan->backward(bx.data(), bdy.data(), bscale.data(), mean.data(), variance.data(), saved.data(),
                   bdy.data(), nullptr, nullptr, workspace.data());
    EXPECT_EQ(bdy.values(), dx.values()) << "dx in the place of dy, without dscale and dshift";
  }
};

TEST_P(BatchNorms, FollowTheDefinition) { expect_definition(GetParam(), DType::kFloat32); }

TEST_P(BatchNorms, FollowTheDefinitionInBFloat16) {
  if (test_device()->bfloat16() == Device::Support::kNone) GTEST_SKIP() << "not on this device";
  expect_definition(GetParam(), DType::kBFloat16);
}

TEST_P(BatchNorms, NormaliseWithGivenStatistics) {
  const Case& c = GetParam();
  const float eps = 1e-3f;
  const int64_t channels = c.shape[1];
  const Values x = random_numbers(c.shape.count(), "x");
  const Values scale = random_numbers(channels, "scale"), shift = random_numbers(channels, "shift");
  const Values mean = random_numbers(channels, "mean");
  Values variance = random_numbers(channels, "variance");
  for (float& v : variance) v += 1.5f;
  Reference reference(c, x, scale, shift, eps);
  reference.mean.assign(mean.begin(), mean.end());
  reference.variance.assign(variance.begin(), variance.end());

  const auto device = test_device();
  for (const bool training : {true, false}) {
    const auto plan =
        device->batch_norm({.shape = c.shape, .eps = eps, .relu = c.relu, .training = training});
    const Buffer bx(*device, x), bscale(*device, scale), bshift(*device, shift);
    const Buffer bmean(*device, mean), bvariance(*device, variance);
    const Buffer y(*device, c.shape.bytes()), workspace(*device, plan->forward_workspace());
    plan->normalize(bx.data(), bscale.data(), bshift.data(), bmean.data(), bvariance.data(),
                    y.data(), workspace.data());
    expect_close(y.values(), reference.y(), kTolerance, "y");
  }
}

// The mean is 30 deviations away from 0, as behind a ReLU and a convolution: in single precision
// the sum of 2^15 such numbers is off by 1e-4 deviations.
TEST(BatchNormStatistics, AreExactToTheLastDigits) {
  const Shape shape{8, 24, 64, 64};
  Values x = random_numbers(shape.count(), "x");
  for (float& value : x) value += 30;
  const Values ones(24, 1), zeros(24, 0);
  const Reference reference({"", shape}, x, ones, zeros, 0);
  const auto device = test_device();
  const auto plan = device->batch_norm({.shape = shape, .eps = 1e-5f});
  const Buffer bx(*device, x), y(*device, shape.bytes());
  const Buffer mean(*device, 24 * 4), variance(*device, 24 * 4);
  const Buffer saved(*device, plan->saved_bytes()), workspace(*device, plan->forward_workspace());
  const Buffer bones(*device, ones), bzeros(*device, zeros);
  plan->forward(bx.data(), bones.data(), bzeros.data(), y.data(), mean.data(), variance.data(),
                saved.data(), workspace.data());
  expect_close(mean.values(), reference.mean, 1e-7, "mean");
  expect_close(variance.values(), reference.variance, 5e-7, "variance");
}

const Case kCases[] = {
    {"images", {4, 16, 5, 7}},
    {"images_relu", {4, 16, 5, 7}, true},
    {"images_relu_without_scale", {4, 16, 5, 7}, true, false},
    {"images_without_scale", {4, 16, 5, 7}, false, false},
    {"odd_channels", {3, 7, 5, 5}, true},
    {"one_channel", {3, 1, 5, 5}, true},
    {"one_image", {1, 20, 6, 6}, true},
    {"vectors", {9, 10}},
    {"vectors_relu", {9, 32}, true},
    {"rank_3", {4, 5, 6}, true},
    {"rank_5", {2, 6, 3, 2, 5}, true},
    {"one_value_a_channel", {1, 16, 1, 1}},
    {"one_vector", {1, 5}, true},
};
INSTANTIATE_TEST_SUITE_P(Cpu, BatchNorms, testing::ValuesIn(kCases),
                         [](const auto& info) { return "of_" + std::string(info.param.name); });

}  // namespace
}  // namespace orepa
