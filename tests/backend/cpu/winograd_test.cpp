// Winograd's convolution, as it is compiled for every instruction set that this machine has.
#include <omp.h>

#include <cmath>
#include <limits>
#include <tuple>

#include "backend/cpu/onednn.h"
#include "tests/backend/cpu/convolver.h"

namespace orepa {
namespace {

using cpu::InstructionSet;

struct Case {
  const char* name;
  ConvolutionGeometry geometry;
};

std::string name_of(InstructionSet set) {
  if (set == InstructionSet::kAvx512) return "avx512";
  return set == InstructionSet::kAvx2 ? "avx2" : "baseline";
}

class Winograd : public testing::TestWithParam<std::tuple<InstructionSet, Case>> {
 protected:
  void SetUp() override {
    if (set() > cpu::instruction_set()) GTEST_SKIP() << "this processor has no " << name_of(set());
  }
  InstructionSet set() const { return std::get<0>(GetParam()); }
  ConvolutionGeometry geometry() const { return std::get<1>(GetParam()).geometry; }
  void expect_same_bits(const ConvolutionGeometry& g) const;
};

// Its plan is compiled for `set`, whatever the device would choose.
struct WinogradConvolver : Convolver {
  WinogradConvolver(const ConvolutionGeometry& geometry, InstructionSet set)
      : Convolver(geometry, make_device("cpu")) {
    plan = cpu::make_winograd(onednn, geometry, set);
  }
  cpu::OneDnn onednn{*device, {}};
};

void Winograd::expect_same_bits(const ConvolutionGeometry& g) const {
  const int before = omp_get_max_threads();
  omp_set_num_threads(1);
  WinogradConvolver one(g, set());
  const Values y = one.forward(), dx = one.backward_data(), dkernel = one.backward_kernel();
  for (const int threads : {2, 3, 5, 13}) {
    omp_set_num_threads(threads);
    WinogradConvolver many(g, set());
    EXPECT_EQ(many.forward(), y) << threads;
    EXPECT_EQ(many.backward_data(), dx) << threads;
    EXPECT_EQ(many.backward_kernel(), dkernel) << threads;
    omp_set_num_threads(std::max(1, threads - 1));  // fewer than the plan knew of
    EXPECT_EQ(many.forward(), y) << threads;
  }
  omp_set_num_threads(before);
}

// Of 3 x 3 alone.
class WinogradInBFloat16 : public Winograd {
 protected:
  void SetUp() override {
    if (!cpu::multiplies_bfloat16()) GTEST_SKIP() << "this processor has no AVX512_BF16";
    Winograd::SetUp();
  }
  ConvolutionGeometry geometry() const {
    ConvolutionGeometry g = Winograd::geometry();
    g.type = DType::kBFloat16;
    return g;
  }
};

TEST_P(Winograd, FollowsTheDefinition) {
  WinogradConvolver convolver(geometry(), set());
  expect_definition(convolver);
}

TEST_P(WinogradInBFloat16, FollowsTheDefinition) {
  WinogradConvolver convolver(geometry(), set());
  expect_definition(convolver);
}

TEST_P(Winograd, ClampsInInference) {
  ConvolutionGeometry g = geometry();
  g.training = false;
  g.relu = true;
  WinogradConvolver convolver(g, set());
  std::vector<double> y = wanted_output(convolver);
  for (double& value : y) value = std::max(value, 0.0);
  expect_close(convolver.forward(), y, kTolerance, "y");
}

TEST_P(Winograd, KeepsWhatIsNoNumber) {
  ConvolutionGeometry g = geometry();
  g.training = false;
  g.relu = true;
  WinogradConvolver convolver(g, set());
  convolver.x[0] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(convolver.forward()[0]));
}

TEST_P(Winograd, HasTheSameBitsForAnyNumberOfThreads) { expect_same_bits(geometry()); }

TEST_P(WinogradInBFloat16, HasTheSameBitsForAnyNumberOfThreads) { expect_same_bits(geometry()); }

const Case k3x3[] = {
    {"of_32_channels", {.input = {4, 32, 14, 14}, .kernel = {32, 32, 3, 3}, .pad = {1, 1}}},
    {"unpadded", {.input = {4, 32, 15, 14}, .kernel = {48, 32, 3, 3}, .pad = {0, 1}, .bias = true}},
    {"of_odd_channels",
     {.input = {4, 35, 14, 13}, .kernel = {50, 35, 3, 3}, .pad = {1, 1}, .bias = true}},
    {"of_several_blocks", {.input = {16, 48, 15, 14}, .kernel = {40, 48, 3, 3}, .pad = {1, 1}}},
    // With more threads than blocks, with fewer, and where some blocks are left over.
    {"of_blocks_for_some_threads",
     {.input = {20, 64, 17, 16}, .kernel = {64, 64, 3, 3}, .pad = {1, 1}, .bias = true}},
    {"of_1_KiB_rows", {.input = {3, 256, 13, 16}, .kernel = {32, 256, 3, 3}}},
    {"padded_by_2", {.input = {6, 33, 9, 9}, .kernel = {32, 33, 3, 3}, .pad = {2, 0}}},
    {"of_one_row", {.input = {50, 32, 3, 3}, .kernel = {32, 32, 3, 3}}},
    {"of_2_groups",
     {.input = {3, 96, 13, 13},
      .kernel = {64, 48, 3, 3},
      .pad = {1, 1},
      .groups = 2,
      .bias = true}},
    {"of_3_groups_of_odd_channels",
     {.input = {2, 51, 9, 10}, .kernel = {57, 17, 3, 3}, .pad = {2, 1}, .groups = 3, .bias = true}},
};

const Case k5x5[] = {
    {"of_5x5", {.input = {4, 32, 16, 16}, .kernel = {32, 32, 5, 5}, .pad = {2, 2}}},
    {"of_unpadded_5x5", {.input = {4, 20, 12, 12}, .kernel = {50, 20, 5, 5}, .bias = true}},
    {"of_5x5_and_odd_channels",
     {.input = {1, 35, 14, 13}, .kernel = {50, 35, 5, 5}, .pad = {1, 3}, .bias = true}},
    {"of_5x5_padded_by_4", {.input = {2, 33, 7, 5}, .kernel = {32, 33, 5, 5}, .pad = {4, 0}}},
    {"of_5x5_in_2_groups",
     {.input = {1, 96, 27, 27},
      .kernel = {64, 48, 5, 5},
      .pad = {2, 2},
      .groups = 2,
      .bias = true}},
};

const InstructionSet kSets[] = {InstructionSet::kBaseline, InstructionSet::kAvx2,
                                InstructionSet::kAvx512};

std::string name_of(const std::tuple<InstructionSet, Case>& variant) {
  return name_of(std::get<0>(variant)) + "_" + std::get<1>(variant).name;
}

INSTANTIATE_TEST_SUITE_P(Cpu, Winograd,
                         testing::Combine(testing::ValuesIn(kSets), testing::ValuesIn(k3x3)),
                         [](const auto& info) { return name_of(info.param); });
INSTANTIATE_TEST_SUITE_P(Cpu5x5, Winograd,
                         testing::Combine(testing::ValuesIn(kSets), testing::ValuesIn(k5x5)),
                         [](const auto& info) { return name_of(info.param); });
INSTANTIATE_TEST_SUITE_P(Cpu, WinogradInBFloat16,
                         testing::Combine(testing::ValuesIn(kSets), testing::ValuesIn(k3x3)),
                         [](const auto& info) { return name_of(info.param); });

// Geometries drawn at random: any of those that is_winograd() calls possible.
TEST(WinogradProperty, FollowsTheDefinitionOfAnyGeometry) {
  const Random random(1, "geometries");
  uint64_t drawn = 0;
  const auto draw = [&](int64_t least, int64_t most) {
    return least +
           static_cast<int64_t>(random.uniform(drawn++) * static_cast<float>(most - least + 1));
  };
  for (int i = 0; i < 40; ++i) {
    const int64_t side = draw(0, 1) == 0 ? 3 : 5, groups = draw(1, 3);
    const int64_t inputs = draw(1, 37), outputs = draw(1, 37);
    ConvolutionGeometry g{.input = {draw(1, 3), groups * inputs, draw(side, 13), draw(side, 13)},
                          .kernel = {groups * outputs, inputs, side, side},
                          .pad = {draw(0, side - 1), draw(0, side - 1)},
                          .groups = groups,
                          .bias = draw(0, 1) == 1};
    SCOPED_TRACE(text(g.input.str(), " with ", g.kernel.str(), ", pad ", g.pad[0], " x ", g.pad[1],
                      ", groups ", groups));
    for (const InstructionSet set : kSets) {
      if (set > cpu::instruction_set()) continue;
      WinogradConvolver convolver(g, set);
      expect_definition(convolver);
    }
  }
}

TEST(ConvolutionAlgorithm, IsAFunctionOfShape) {
  const auto device = make_device("cpu");
  ConvolutionGeometry g{.input = {16, 64, 56, 56}, .kernel = {64, 64, 3, 3}, .pad = {1, 1}};
  const bool vectors = cpu::instruction_set() != cpu::InstructionSet::kBaseline;
  EXPECT_EQ(device->convolution(g)->algorithm(), vectors ? "winograd" : "direct");
  EXPECT_EQ(make_device("cpu", {Algorithm::kDirect})->convolution(g)->algorithm(), "direct");
  g.stride = {2, 2};
  EXPECT_EQ(device->convolution(g)->algorithm(), "direct");

  const ConvolutionGeometry grouped{
      .input = {16, 384, 13, 13}, .kernel = {384, 192, 3, 3}, .pad = {1, 1}, .groups = 2};
  EXPECT_EQ(device->convolution(grouped)->algorithm(), vectors ? "winograd" : "direct");
  // A kernel of one shape is packed in another way for another number of groups.
  const ConvolutionGeometry whole{
      .input = {16, 192, 13, 13}, .kernel = {384, 192, 3, 3}, .pad = {1, 1}};
  for (const auto direction : {ConvolutionPlan::kForward, ConvolutionPlan::kBackwardData})
    EXPECT_NE(device->convolution(grouped)->packed_layout(direction),
              device->convolution(whole)->packed_layout(direction));
  ConvolutionGeometry wide{.input = {16, 32, 8, 8}, .kernel = {64, 32, 5, 5}, .pad = {2, 2}};
  EXPECT_EQ(device->convolution(wide)->algorithm(), vectors ? "winograd" : "direct");
  wide.type = DType::kBFloat16;
  EXPECT_FALSE(cpu::is_winograd(wide, Algorithm::kAuto));
}

}  // namespace
}  // namespace orepa
