// Every kind of convolution against its definition, summed in double.
#include <omp.h>

#include <cmath>
#include <limits>

#include "tests/backend/cpu/numbers.h"
#include "tests/comparison.h"

namespace orepa {
namespace {

// Sums of up to 10^4 products in float: sqrt(10^4) roundings of 6e-8 each. Winograd's transforms
// lose a little more; measured, at most 3e-6.
constexpr double kTolerance = 1e-5;

struct Case {
  const char* name;
  ConvolutionGeometry geometry;
  DeviceOptions options = {};
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

// Calls visit(y index, x index, kernel index, o) for every product of the convolution.
template <class Visit>
void for_each_product(const ConvolutionGeometry& g, Visit visit) {
  const Shape y = g.output();
  const int64_t group_outputs = g.kernel[0] / g.groups, group_inputs = g.kernel[1];
  for (int64_t n = 0; n < y[0]; ++n)
    for (int64_t oh = 0; oh < y[2]; ++oh)
      for (int64_t ow = 0; ow < y[3]; ++ow)
        for (int64_t kh = 0; kh < g.kernel[2]; ++kh)
          for (int64_t kw = 0; kw < g.kernel[3]; ++kw) {
            const int64_t h = oh * g.stride[0] - g.pad[0] + kh * g.dilation[0];
            const int64_t w = ow * g.stride[1] - g.pad[1] + kw * g.dilation[1];
            if (h < 0 || h >= g.input[2] || w < 0 || w >= g.input[3]) continue;
            for (int64_t o = 0; o < y[1]; ++o)
              for (int64_t i = 0; i < group_inputs; ++i)
                visit(((n * y[2] + oh) * y[3] + ow) * y[1] + o,
                      ((n * g.input[2] + h) * g.input[3] + w) * g.input[1] +
                          o / group_outputs * group_inputs + i,
                      ((o * g.kernel[2] + kh) * g.kernel[3] + kw) * group_inputs + i);
          }
}

// A plan with its inputs.
struct Convolver {
  explicit Convolver(const ConvolutionGeometry& geometry, const DeviceOptions& options = {})
      : g(geometry), device(make_device("cpu", options)), plan(device->convolution(g)) {}

  Numbers forward() {
    Buffer y(*device, g.output().bytes());
    const Buffer input(*device, x), offset(*device, bias);
    const Buffer packed(*device, plan->packed_bytes(ConvolutionPlan::kForward));
    pack(ConvolutionPlan::kForward, packed);
    const Buffer workspace(*device, plan->forward_workspace());
    plan->forward(input.data(), packed.data(), g.bias ? offset.data() : nullptr, y.data(),
                  workspace.data());
    return y.numbers();
  }
  Numbers backward_data() {
    Buffer dx(*device, g.input.bytes());
    const Buffer gradient(*device, dy);
    const Buffer packed(*device, plan->packed_bytes(ConvolutionPlan::kBackwardData));
    pack(ConvolutionPlan::kBackwardData, packed);
    const Buffer workspace(*device, plan->backward_data_workspace());
    plan->backward_data(gradient.data(), packed.data(), dx.data(), workspace.data());
    return dx.numbers();
  }
  // Added to `before` where it is given.
  Numbers backward_kernel(const Numbers* before = nullptr) {
    Buffer dkernel(*device, g.kernel.bytes());
    if (before) std::copy(before->begin(), before->end(), dkernel.data());
    const Buffer input(*device, x), gradient(*device, dy);
    const Buffer workspace(*device, plan->backward_kernel_workspace());
    plan->backward_kernel(input.data(), gradient.data(), dkernel.data(), before != nullptr,
                          workspace.data());
    return dkernel.numbers();
  }
  void pack(ConvolutionPlan::Direction direction, const Buffer& packed) {
    const Buffer plain(*device, kernel);
    plan->pack(direction, plain.data(), packed.data());
  }

  ConvolutionGeometry g;
  Numbers x = random_numbers(g.input.count(), "x");
  Numbers kernel = random_numbers(g.kernel.count(), "kernel");
  Numbers bias = random_numbers(g.kernel[0], "bias");
  Numbers dy = random_numbers(g.output().count(), "dy");
  std::unique_ptr<Device> device;
  std::shared_ptr<ConvolutionPlan> plan;
};

std::vector<double> wanted_output(const Convolver& convolver) {
  std::vector<double> y(convolver.dy.size());
  for (size_t i = 0; i < y.size(); ++i)
    y[i] = convolver.g.bias ? convolver.bias[i % convolver.bias.size()] : 0;
  for_each_product(convolver.g, [&](int64_t iy, int64_t ix, int64_t ik) {
    y[iy] += double{convolver.x[ix]} * convolver.kernel[ik];
  });
  return y;
}

// What AUTO chooses where Winograd is worth it: its transforms are as fast as the build's
// instruction set.
#if defined(__AVX2__) && defined(__FMA__)
constexpr const char* kFastest = "winograd";
#else
constexpr const char* kFastest = "direct";
#endif

class Convolutions : public testing::TestWithParam<Case> {};

TEST_P(Convolutions, FollowTheDefinition) {
  Convolver convolver(GetParam().geometry, GetParam().options);
  expect_close(convolver.forward(), wanted_output(convolver), kTolerance, "y");

  std::vector<double> dx(convolver.x.size()), dkernel(convolver.kernel.size());
  for_each_product(convolver.g, [&](int64_t iy, int64_t ix, int64_t ik) {
    dx[ix] += double{convolver.dy[iy]} * convolver.kernel[ik];
    dkernel[ik] += double{convolver.dy[iy]} * convolver.x[ix];
  });
  expect_close(convolver.backward_data(), dx, kTolerance, "dx");
  expect_close(convolver.backward_kernel(), dkernel, kTolerance, "dkernel");
  const Numbers before = random_numbers(convolver.g.kernel.count(), "before");
  for (size_t i = 0; i < dkernel.size(); ++i) dkernel[i] += before[i];
  expect_close(convolver.backward_kernel(&before), dkernel, kTolerance, "accumulated dkernel");
}

TEST_P(Convolutions, GiveTheSameBitsTwice) {
  Convolver first(GetParam().geometry, GetParam().options);
  Convolver second(GetParam().geometry, GetParam().options);
  EXPECT_EQ(first.forward(), second.forward());
  EXPECT_EQ(first.backward_data(), second.backward_data());
  EXPECT_EQ(first.backward_kernel(), second.backward_kernel());
}

TEST_P(Convolutions, ClampInInference) {
  ConvolutionGeometry g = GetParam().geometry;
  g.training = false;
  g.relu = true;
  Convolver convolver(g);
  std::vector<double> y = wanted_output(convolver);
  for (double& value : y) value = std::max(value, 0.0);
  expect_close(convolver.forward(), y, kTolerance, "y");
}

const Case kCases[] = {
    {"plain", {.input = {2, 16, 9, 8}, .kernel = {32, 16, 3, 3}, .pad = {1, 1}}},
    {"bias", {.input = {2, 16, 9, 8}, .kernel = {32, 16, 3, 3}, .pad = {1, 1}, .bias = true}},
    {"batch_1", {.input = {1, 16, 7, 7}, .kernel = {16, 16, 3, 3}, .bias = true}},
    {"batch_3", {.input = {3, 32, 5, 5}, .kernel = {16, 32, 3, 3}, .pad = {1, 1}}},
    {"1_input_channel", {.input = {3, 1, 12, 12}, .kernel = {20, 1, 5, 5}, .bias = true}},
    {"3_input_channels",
     {.input = {2, 3, 21, 21}, .kernel = {64, 3, 7, 7}, .stride = {2, 2}, .pad = {3, 3}}},
    {"odd_channels", {.input = {2, 7, 6, 6}, .kernel = {13, 7, 3, 3}, .pad = {1, 1}, .bias = true}},
    {"10_to_48_channels", {.input = {2, 10, 6, 6}, .kernel = {48, 10, 3, 3}, .pad = {1, 1}}},
    {"1_channel_to_1", {.input = {1, 1, 4, 4}, .kernel = {1, 1, 3, 3}, .pad = {1, 1}}},
    {"stride",
     {.input = {2, 16, 11, 10}, .kernel = {24, 16, 3, 3}, .stride = {2, 2}, .pad = {1, 1}}},
    {"unequal_stride", {.input = {2, 8, 11, 10}, .kernel = {8, 8, 3, 3}, .stride = {3, 2}}},
    {"stride_over_kernel", {.input = {2, 16, 9, 9}, .kernel = {16, 16, 1, 1}, .stride = {4, 3}}},
    // Where two threads share an image, oneDNN alone loses a part of dx.
    {"strided_1x1_of_few_channels",
     {.input = {3, 8, 10, 10}, .kernel = {8, 8, 1, 1}, .stride = {2, 2}}},
    {"grouped_strided_1x1",
     {.input = {2, 8, 7, 6}, .kernel = {16, 4, 1, 1}, .stride = {2, 3}, .groups = 2}},
    {"1x1", {.input = {2, 16, 5, 5}, .kernel = {24, 16, 1, 1}, .bias = true}},
    {"1x1_on_one_pixel", {.input = {4, 20, 1, 1}, .kernel = {10, 20, 1, 1}, .bias = true}},
    {"padded_1x1", {.input = {2, 8, 5, 5}, .kernel = {8, 8, 1, 1}, .pad = {1, 1}}},
    {"even_kernel", {.input = {2, 8, 7, 7}, .kernel = {8, 8, 2, 4}, .pad = {1, 2}}},
    {"1x7", {.input = {2, 16, 9, 9}, .kernel = {16, 16, 1, 7}, .pad = {0, 3}}},
    {"7x1", {.input = {2, 16, 9, 9}, .kernel = {16, 16, 7, 1}, .pad = {3, 0}}},
    {"11x11", {.input = {1, 8, 13, 13}, .kernel = {8, 8, 11, 11}, .pad = {5, 5}}},
    {"pad_over_kernel", {.input = {2, 16, 5, 5}, .kernel = {16, 16, 3, 3}, .pad = {4, 4}}},
    {"dilation",
     {.input = {2, 16, 9, 9}, .kernel = {16, 16, 3, 3}, .pad = {2, 2}, .dilation = {2, 2}}},
    {"unequal_dilation",
     {.input = {2, 6, 9, 9}, .kernel = {5, 6, 3, 3}, .pad = {2, 3}, .dilation = {2, 3}}},
    {"stride_and_dilation",
     {.input = {2, 16, 11, 11},
      .kernel = {16, 16, 3, 3},
      .stride = {2, 2},
      .pad = {2, 2},
      .dilation = {2, 2}}},
    {"groups", {.input = {2, 32, 6, 6}, .kernel = {64, 16, 3, 3}, .pad = {1, 1}, .groups = 2}},
    {"odd_groups",
     {.input = {2, 6, 6, 6}, .kernel = {9, 2, 3, 3}, .pad = {1, 1}, .groups = 3, .bias = true}},
    {"groups_of_4", {.input = {2, 64, 6, 6}, .kernel = {64, 4, 3, 3}, .pad = {1, 1}, .groups = 16}},
    {"grouped_1x1_stride",
     {.input = {2, 32, 7, 7}, .kernel = {32, 16, 1, 1}, .stride = {2, 2}, .groups = 2}},
    {"depthwise", {.input = {2, 16, 7, 7}, .kernel = {16, 1, 3, 3}, .pad = {1, 1}, .groups = 16}},
    {"odd_depthwise",
     {.input = {2, 5, 7, 7},
      .kernel = {5, 1, 3, 3},
      .stride = {2, 2},
      .pad = {1, 1},
      .groups = 5,
      .bias = true}},
    {"dilated_depthwise",
     {.input = {2, 16, 9, 9},
      .kernel = {16, 1, 3, 3},
      .pad = {2, 2},
      .dilation = {2, 2},
      .groups = 16}},
    {"depthwise_11x11",
     {.input = {1, 16, 13, 13}, .kernel = {16, 1, 11, 11}, .pad = {5, 5}, .groups = 16}},
    {"depthwise_1x1_stride",
     {.input = {2, 16, 7, 7}, .kernel = {16, 1, 1, 1}, .stride = {2, 2}, .groups = 16}},
    {"depthwise_multiplier",
     {.input = {2, 8, 7, 7}, .kernel = {16, 1, 3, 3}, .pad = {1, 1}, .groups = 8}},
    {"winograd_size", {.input = {4, 32, 14, 14}, .kernel = {32, 32, 3, 3}, .pad = {1, 1}}},
    {"winograd_size_unpadded",
     {.input = {4, 32, 15, 14}, .kernel = {48, 32, 3, 3}, .pad = {0, 1}, .bias = true}},
    {"winograd_odd_channels",
     {.input = {4, 35, 14, 13}, .kernel = {50, 35, 3, 3}, .pad = {1, 1}, .bias = true}},
    {"winograd_of_several_blocks",
     {.input = {16, 48, 15, 14}, .kernel = {40, 48, 3, 3}, .pad = {1, 1}}},
    {"winograd_of_1_KiB_rows", {.input = {3, 256, 13, 16}, .kernel = {32, 256, 3, 3}}},
    {"winograd_padded_by_2", {.input = {6, 33, 9, 9}, .kernel = {32, 33, 3, 3}, .pad = {2, 0}}},
    {"winograd_of_one_row", {.input = {50, 32, 3, 3}, .kernel = {32, 32, 3, 3}}},
    {"winograd_size_direct",
     {.input = {4, 32, 14, 14}, .kernel = {32, 32, 3, 3}, .pad = {1, 1}},
     {Algorithm::kDirect}},
};

INSTANTIATE_TEST_SUITE_P(Cpu, Convolutions, testing::ValuesIn(kCases),
                         [](const auto& info) { return "of_" + std::string(info.param.name); });

// With more threads than blocks, with fewer, and where some blocks are left over.
TEST(WinogradConvolution, HasTheSameBitsForAnyNumberOfThreads) {
  const ConvolutionGeometry g{
      .input = {20, 64, 17, 16}, .kernel = {64, 64, 3, 3}, .pad = {1, 1}, .bias = true};
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  Convolver one(g);
  ASSERT_EQ(one.plan->algorithm(), kFastest);
  const Numbers y = one.forward(), dx = one.backward_data(), dkernel = one.backward_kernel();
  for (const int threads : {2, 3, 5, 13}) {
    omp_set_num_threads(threads);
    Convolver many(g);
    EXPECT_EQ(many.forward(), y) << threads;
    EXPECT_EQ(many.backward_data(), dx) << threads;
    EXPECT_EQ(many.backward_kernel(), dkernel) << threads;
    omp_set_num_threads(std::max(1, threads - 1));  // fewer than the plan knew of
    EXPECT_EQ(many.forward(), y) << threads;
  }
  omp_set_num_threads(before);
}

TEST(WinogradConvolution, KeepsWhatIsNoNumber) {
  ConvolutionGeometry g{.input = {4, 32, 14, 14}, .kernel = {32, 32, 3, 3}, .pad = {1, 1}};
  g.training = false;
  g.relu = true;
  Convolver convolver(g);
  ASSERT_EQ(convolver.plan->algorithm(), kFastest);
  convolver.x[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(convolver.forward()[0]));
}

TEST(ConvolutionAlgorithm, IsAFunctionOfShape) {
  const auto device = make_device("cpu");
  ConvolutionGeometry g{.input = {16, 64, 56, 56}, .kernel = {64, 64, 3, 3}, .pad = {1, 1}};
  EXPECT_EQ(device->convolution(g)->algorithm(), kFastest);
  EXPECT_EQ(make_device("cpu", {Algorithm::kDirect})->convolution(g)->algorithm(), "direct");
  g.stride = {2, 2};
  EXPECT_EQ(device->convolution(g)->algorithm(), "direct");
}

}  // namespace
}  // namespace orepa
