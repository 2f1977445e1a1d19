// Pooling against Caffe's rules, windows that hang over the padding included.
#include <limits>

#include "tests/backend/cpu/numbers.h"
#include "tests/comparison.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

using Method = PoolingGeometry::Method;

// MAX is exact going forward; sums of at most a few thousand floats elsewhere.
constexpr double kTolerance = 2e-6;
// In bfloat16, by 2^-9, numbers are rounded once, or by oneDNN after each window that adds to dx.
constexpr double kNarrowTolerance = 1.0 / 64;

struct Case {
  const char* name;
  PoolingGeometry geometry;
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

struct Reference {
  std::vector<double> y, dx;
};

Reference reference(const PoolingGeometry& g, const Values& x, const Values& dy) {
  Reference result{std::vector<double>(dy.size()), std::vector<double>(x.size())};
  const int64_t channels = g.input[1], height = g.input[2], width = g.input[3];
  size_t i = 0;
  for (int64_t n = 0; n < g.output[0]; ++n)
    for (int64_t oh = 0; oh < g.output[2]; ++oh)
      for (int64_t ow = 0; ow < g.output[3]; ++ow)
        for (int64_t c = 0; c < channels; ++c, ++i) {
          const int64_t top = oh * g.stride[0] - g.pad[0], left = ow * g.stride[1] - g.pad[1];
          const int64_t area = (std::min(top + g.kernel[0], height + g.pad[0]) - top) *
                               (std::min(left + g.kernel[1], width + g.pad[1]) - left);
          double sum = 0;
          std::vector<int64_t> window;
          for (int64_t h = std::max<int64_t>(top, 0); h < std::min(top + g.kernel[0], height); ++h)
            for (int64_t w = std::max<int64_t>(left, 0); w < std::min(left + g.kernel[1], width);
                 ++w)
              window.push_back(((n * height + h) * width + w) * channels + c);
          for (const int64_t at : window) sum += x[at];
          if (g.method == Method::kAverage) {
            result.y[i] = sum / area;
            for (const int64_t at : window) result.dx[at] += double{dy[i]} / area;
          } else {
            const int64_t first = *std::max_element(
                window.begin(), window.end(), [&](int64_t a, int64_t b) { return x[a] < x[b]; });
            result.y[i] = x[first];
            result.dx[first] += dy[i];
          }
        }
  return result;
}

class Poolings : public testing::TestWithParam<Case> {
 protected:
  void check(const PoolingGeometry& g, const Values& x) {
    const double tolerance = g.type == DType::kFloat32 ? kTolerance : kNarrowTolerance;
    const Values dy = random_numbers(g.output.count(), "dy", g.type);
    const Reference want = reference(g, x, dy);
    const auto device = test_device();
    const auto plan = device->pooling(g);
    const Buffer bx(*device, x, g.type), y(*device, g.output.bytes(g.type), g.type);
    const Buffer saved(*device, plan->saved_bytes());
    plan->forward(bx.data(), y.data(), saved.data());
    expect_close(y.values(), want.y, tolerance, "y");
    if (!g.training) return;
    const Buffer bdy(*device, dy, g.type), dx(*device, g.input.bytes(g.type), g.type);
    const Buffer workspace(*device, plan->backward_workspace());
    plan->backward(bdy.data(), saved.data(), dx.data(), workspace.data());
    expect_close(dx.values(), want.dx, tolerance, "dx");
    const Buffer again(*device, g.input.bytes(g.type), g.type);
    plan->backward(bdy.data(), saved.data(), again.data(), workspace.data());
    EXPECT_EQ(dx.values(), again.values());
  }
};

TEST_P(Poolings, FollowTheDefinition) {
  for (const Method method : {Method::kMax, Method::kAverage})
    for (const bool training : {true, false}) {
      PoolingGeometry g = GetParam().geometry;
      g.method = method;
      g.training = training;
      check(g, random_numbers(g.input.count(), "x"));
    }
}

TEST_P(Poolings, FollowTheDefinitionInBFloat16) {
  if (test_device()->bfloat16() == Device::Support::kNone) GTEST_SKIP() << "not on this device";
  PoolingGeometry g = GetParam().geometry;
  g.type = DType::kBFloat16;
  for (const Method method : {Method::kMax, Method::kAverage}) {
    g.method = method;
    check(g, random_numbers(g.input.count(), "x", g.type));
  }
}

TEST_P(Poolings, GiveTheGradientToTheFirstOfEqualValues) {
  PoolingGeometry g = GetParam().geometry;
  Values x = random_numbers(g.input.count(), "x");
  for (float& value : x) value = value < 0 ? -1.0f : -2.0f;
  check(g, x);
}

// Caffe's ceil lets a window start behind the last row, inside the padding.
TEST(Pooling, OfPaddingAloneTakesNoGradient) {
  PoolingGeometry g{.input = {2, 16, 5, 5},
                    .output = {2, 16, 3, 3},
                    .kernel = {2, 2},
                    .stride = {3, 3},
                    .pad = {1, 1}};
  const auto device = test_device();
  for (const Method method : {Method::kMax, Method::kAverage}) {
    g.method = method;
    const auto plan = device->pooling(g);
    const Buffer x(*device, random_numbers(g.input.count(), "x")), y(*device, g.output.bytes());
    const Buffer saved(*device, plan->saved_bytes());
    plan->forward(x.data(), y.data(), saved.data());
    const float empty = method == Method::kMax ? std::numeric_limits<float>::lowest() : 0.0f;
    const Values got = y.values();
    Values dy(got.size(), 0.0f);
    const auto last = [](int64_t i) { return i / 16 % 3 == 2 || i / 48 % 3 == 2; };
    for (int64_t i = 0; i < g.output.count(); ++i) {
      if (!last(i)) continue;
      EXPECT_EQ(got[static_cast<size_t>(i)], empty) << i;
      dy[static_cast<size_t>(i)] = 1;
    }
    const Buffer bdy(*device, dy), dx(*device, g.input.bytes());
    const Buffer workspace(*device, plan->backward_workspace());
    plan->backward(bdy.data(), saved.data(), dx.data(), workspace.data());
    for (const float value : dx.values()) ASSERT_EQ(value, 0.0f);
  }
}

const Case kCases[] = {
    {"2_stride_2",
     {.input = {2, 16, 8, 6}, .output = {2, 16, 4, 3}, .kernel = {2, 2}, .stride = {2, 2}}},
    {"3_stride_2_pad_1_floor",
     {.input = {2, 64, 8, 8},
      .output = {2, 64, 4, 4},
      .kernel = {3, 3},
      .stride = {2, 2},
      .pad = {1, 1}}},
    {"3_stride_2_pad_1_ceil",
     {.input = {2, 16, 8, 8},
      .output = {2, 16, 5, 5},
      .kernel = {3, 3},
      .stride = {2, 2},
      .pad = {1, 1}}},
    {"3_stride_2_ceil",
     {.input = {1, 5, 8, 6}, .output = {1, 5, 4, 3}, .kernel = {3, 3}, .stride = {2, 2}}},
    {"3_stride_1",
     {.input = {3, 3, 5, 5}, .output = {3, 3, 5, 5}, .kernel = {3, 3}, .pad = {1, 1}}},
    {"rectangular",
     {.input = {2, 20, 7, 9},
      .output = {2, 20, 3, 9},
      .kernel = {3, 4},
      .stride = {2, 1},
      .pad = {0, 2}}},
    {"stride_over_kernel",
     {.input = {2, 7, 9, 9}, .output = {2, 7, 3, 3}, .kernel = {2, 1}, .stride = {4, 4}}},
    {"hanging_far_over",
     {.input = {1, 16, 7, 7}, .output = {1, 16, 2, 2}, .kernel = {6, 6}, .stride = {5, 5}}},
    {"one_channel",
     {.input = {3, 1, 6, 6}, .output = {3, 1, 3, 3}, .kernel = {2, 2}, .stride = {2, 2}}},
    {"global", {.input = {2, 33, 7, 7}, .output = {2, 33, 1, 1}, .kernel = {7, 7}}},
    {"large_global", {.input = {2, 17, 40, 41}, .output = {2, 17, 1, 1}, .kernel = {40, 41}}},
    {"one_pixel", {.input = {4, 10, 1, 1}, .output = {4, 10, 1, 1}, .kernel = {1, 1}}},
};
INSTANTIATE_TEST_SUITE_P(Cpu, Poolings, testing::ValuesIn(kCases),
                         [](const auto& info) { return "of_" + std::string(info.param.name); });

}  // namespace
}  // namespace orepa
