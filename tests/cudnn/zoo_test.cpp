// What the real cuDNN says of every graph that the convolutions of the zoo are made of, on devices
// that are only described; docs/gpu.md has its numbers. Plans behave as support_test.cpp
// says.
#include <gmock/gmock.h>

#include <algorithm>
#include <iostream>

#include "backend/cuda/cudnn_convolution.h"
#include "tests/cudnn/described_device.h"
#include "tests/cudnn/zoo_convolutions.h"

namespace orepa::cuda {
namespace {

using Geometries = std::set<ConvolutionGeometry>;

// Geometries that differ in what one pass does not see are one graph of it.
struct Passes {
  Geometries forward, fused, backward_data, backward_kernel;

  explicit Passes(const Geometries& geometries) {
    for (const ConvolutionGeometry& g : geometries) {
      ConvolutionGeometry seen = g;
      seen.training = seen.data_gradient = false;
      if (g.bias || g.relu) fused.insert(seen);
      seen.bias = seen.relu = false;
      forward.insert(seen);
      if (g.training) backward_kernel.insert(seen);
      if (g.training && g.data_gradient) backward_data.insert(seen);
    }
  }
};

class CudnnOnTheZoo
    : public testing::TestWithParam<std::tuple<const char*, const char*, int64_t, DType>> {
 protected:
  void SetUp() override {
    const auto& [nets, device, batch, precision] = GetParam();
    target_ = described(device);
    passes_ = Passes(zoo_convolutions(nets, batch, precision));
    ASSERT_FALSE(passes_.forward.empty());
  }
  // Names those of which there is no engine: direct_convolution.h computes them.
  void find_engines(const Geometries& geometries, Graph (*graph_of)(const ConvolutionGeometry&)) {
    for (const ConvolutionGeometry& g : geometries) {
      const Graph graph = graph_of(g);
      const EngineLimits limits = engine_limits(g, {});
      const std::optional<GraphPlan> plan = GraphPlan::make(graph, target_, limits);
      ++graphs_;
      if (plan)
        largest_workspace_ = std::max(largest_workspace_, plan->workspace());
      else
        direct_.push_back(graph.name());
    }
  }

  Target target_;
  Passes passes_{{}};
  int graphs_ = 0;
  std::vector<std::string> direct_;
  int64_t largest_workspace_ = 0;
};

TEST_P(CudnnOnTheZoo, ComputesEveryPass) {
  find_engines(passes_.forward, forward_graph);
  find_engines(passes_.backward_data, backward_data_graph);
  find_engines(passes_.backward_kernel, backward_kernel_graph);
  std::cout << graphs_ << " graphs, " << direct_.size() << " of them direct, workspaces of up to "
            << (largest_workspace_ >> 20) << " MiB\n";
  EXPECT_THAT(direct_, testing::IsEmpty());
  EXPECT_LE(largest_workspace_, DeviceOptions().workspace_limit);
}

// In bfloat16 cuDNN adds nothing to a depthwise convolution, nor to the first one of FCN-8s, which
// is padded by 100, at batch 256.
bool is_apart(const ConvolutionGeometry& g) {
  const bool depthwise = g.groups > 1 && g.kernel[1] == 1;
  const bool first_of_fcn8s = g.pad[0] == 100 && g.input[0] == 256;
  return g.type == DType::kBFloat16 && (depthwise || first_of_fcn8s);
}

TEST_P(CudnnOnTheZoo, AddsBiasAndReluInOneExceptOfAFewInBFloat16) {
  size_t apart = 0;
  for (const ConvolutionGeometry& g : passes_.fused) {
    const Graph graph = fused_forward_graph(g);
    const bool found = !suggestions(graph, target_, engine_limits(g, {})).empty();
    EXPECT_EQ(found, !is_apart(g)) << graph.name();
    if (!found) ++apart;
  }
  std::cout << passes_.fused.size() << " graphs, " << apart << " of them in two passes\n";
}

// "h100_32_float32"
std::string name(const testing::TestParamInfo<CudnnOnTheZoo::ParamType>& info) {
  const auto& [nets, device, batch, precision] = info.param;
  return text(device, "_", batch, precision == DType::kFloat32 ? "_float32" : "_bfloat16");
}

const auto kDevices = testing::Values("a100", "h100", "b200");
const auto kBatches = testing::Values(1, 32, 256);
const auto kPrecisions = testing::Values(DType::kFloat32, DType::kBFloat16);

INSTANTIATE_TEST_SUITE_P(Zoo, CudnnOnTheZoo,
                         testing::Combine(testing::Values("(?!caffe/).*"), kDevices, kBatches,
                                          kPrecisions),
                         name);
// LRCN's batches are frames of sequences, of which one number says too little; its convolutions are
// CaffeNet's.
INSTANTIATE_TEST_SUITE_P(Caffe, CudnnOnTheZoo,
                         testing::Combine(testing::Values("caffe/(?!lrcn/).*"), kDevices, kBatches,
                                          kPrecisions),
                         name);
// Large kernels and strides, groups of two, the steps of a fully convolutional net.
INSTANTIATE_TEST_SUITE_P(SomeOfCaffe, CudnnOnTheZoo,
                         testing::Combine(testing::Values("caffe/(alexnet|fcn8s)/.*"),
                                          testing::Values("h100"), testing::Values(32),
                                          kPrecisions),
                         name);

}  // namespace
}  // namespace orepa::cuda
