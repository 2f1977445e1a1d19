// What a convolution's plan on a CUDA device is made of. In the emulation cuDNN can be told to have
// no engine (tests/cudaemu/settings.h).
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#include "tests/backend/cpu/convolver.h"

namespace orepa {
namespace {

constexpr ConvolutionPlan::Direction kForward = ConvolutionPlan::kForward;

class CudaConvolution : public testing::Test {
 protected:
  void SetUp() override {
    if (!test_device()->is_cuda()) GTEST_SKIP() << "OREPA_TEST_DEVICE is no CUDA device";
  }
  static bool engines() {
    const char* variable = std::getenv("CUDAEMU_ENGINES");
    return variable == nullptr || std::string(variable) != "0";
  }
  static int64_t launches_of_forward(const ConvolutionGeometry& geometry) {
    Convolver convolver(geometry);
    const int64_t before = convolver.device->counts().launches;
    convolver.forward();
    return convolver.device->counts().launches - before;
  }
};

const ConvolutionGeometry kPlain{.input = {2, 8, 6, 6}, .kernel = {8, 8, 3, 3}, .pad = {1, 1}};
const ConvolutionGeometry kDepthwise{.input = {2, 8, 6, 6},
                                     .kernel = {8, 1, 3, 3},
                                     .pad = {1, 1},
                                     .groups = 8,
                                     .type = DType::kBFloat16};

TEST_F(CudaConvolution, IsAnEngineOfCudnnWhereThereIsOne) {
  for (const ConvolutionGeometry& g : {kPlain, kDepthwise})
    EXPECT_EQ(test_device()->convolution(g)->algorithm(), engines() ? "cudnn" : "direct");
}

TEST_F(CudaConvolution, AddsBiasAndClampsInOnePassWhereCudnnDoes) {
  ConvolutionGeometry g = kPlain;
  const int64_t plain = launches_of_forward(g);
  g.training = false;
  g.bias = g.relu = true;
  EXPECT_EQ(launches_of_forward(g), plain);
  g = kDepthwise;
  const int64_t depthwise = launches_of_forward(g);
  g.training = false;
  g.bias = g.relu = true;
  EXPECT_EQ(launches_of_forward(g), depthwise + (engines() ? 1 : 0));
}

TEST_F(CudaConvolution, PacksForBothDirectionsAlikeButNotForBothTypes) {
  const auto device = test_device();
  ConvolutionGeometry g = kPlain;
  const auto plan = device->convolution(g);
  EXPECT_EQ(plan->packed_layout(kForward), plan->packed_layout(ConvolutionPlan::kBackwardData));
  EXPECT_EQ(plan->packed_bytes(kForward), g.kernel.bytes());
  g.type = DType::kBFloat16;
  const auto narrow = device->convolution(g);
  EXPECT_NE(plan->packed_layout(kForward), narrow->packed_layout(kForward));
  EXPECT_EQ(narrow->packed_bytes(kForward), g.kernel.bytes(DType::kBFloat16));
}

}  // namespace
}  // namespace orepa
