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

TEST_P(Winograd, FollowsTheDefinition) {
  WinogradConvolver convolver(geometry(), set());
  expect_definition(convolver);
}

TEST_P(Winograd, FollowsTheDefinitionInBFloat16) {
  if (!cpu::multiplies_bfloat16()) GTEST_SKIP() << "this processor has no AVX512_BF16";
  ConvolutionGeometry g = geometry();
  g.type = DType::kBFloat16;
  WinogradConvolver convolver(g, set());
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

TEST_P(Winograd, HasTheSameBitsForAnyNumberOfThreadsInBFloat16) {
  if (!cpu::multiplies_bfloat16()) GTEST_SKIP() << "this processor has no AVX512_BF16";
  ConvolutionGeometry g = geometry();
  g.type = DType::kBFloat16;
  expect_same_bits(g);
}

const Case kCases[] = {
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
};

const InstructionSet kSets[] = {InstructionSet::kBaseline, InstructionSet::kAvx2,
                                InstructionSet::kAvx512};

INSTANTIATE_TEST_SUITE_P(Cpu, Winograd,
                         testing::Combine(testing::ValuesIn(kSets), testing::ValuesIn(kCases)),
                         [](const auto& info) {
                           return name_of(std::get<0>(info.param)) + "_" +
                                  std::get<1>(info.param).name;
                         });

TEST(ConvolutionAlgorithm, IsAFunctionOfShape) {
  const auto device = make_device("cpu");
  ConvolutionGeometry g{.input = {16, 64, 56, 56}, .kernel = {64, 64, 3, 3}, .pad = {1, 1}};
  const bool vectors = cpu::instruction_set() != cpu::InstructionSet::kBaseline;
  EXPECT_EQ(device->convolution(g)->algorithm(), vectors ? "winograd" : "direct");
  EXPECT_EQ(make_device("cpu", {Algorithm::kDirect})->convolution(g)->algorithm(), "direct");
  g.stride = {2, 2};
  EXPECT_EQ(device->convolution(g)->algorithm(), "direct");
}

}  // namespace
}  // namespace orepa
