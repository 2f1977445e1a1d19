// Every kind of convolution against its definition, summed in double.
#include "tests/backend/cpu/convolver.h"

namespace orepa {
namespace {

struct Case {
  const char* name;
  ConvolutionGeometry geometry;
  DeviceOptions options = {};
};
void PrintTo(const Case& c, std::ostream* out) { *out << c.name; }

class Convolutions : public testing::TestWithParam<Case> {};

TEST_P(Convolutions, FollowTheDefinition) {
  Convolver convolver(GetParam().geometry, test_device(GetParam().options));
  expect_definition(convolver);
}

TEST_P(Convolutions, FollowTheDefinitionInBFloat16) {
  ConvolutionGeometry g = GetParam().geometry;
  g.type = DType::kBFloat16;
  if (test_device()->bfloat16() == Device::Support::kNone) GTEST_SKIP() << "not on this device";
  Convolver convolver(g, test_device(GetParam().options));
  expect_definition(convolver);
}

TEST_P(Convolutions, GiveTheSameBitsTwice) {
  Convolver first(GetParam().geometry, test_device(GetParam().options));
  Convolver second(GetParam().geometry, test_device(GetParam().options));
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
    {"winograd_size_direct",
     {.input = {4, 32, 14, 14}, .kernel = {32, 32, 3, 3}, .pad = {1, 1}},
     {Algorithm::kDirect}},
};

INSTANTIATE_TEST_SUITE_P(Cpu, Convolutions, testing::ValuesIn(kCases),
                         [](const auto& info) { return "of_" + std::string(info.param.name); });

}  // namespace
}  // namespace orepa
