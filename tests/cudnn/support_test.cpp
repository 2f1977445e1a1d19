// What the real cuDNN says of the graphs of convolutions on devices that are only described: no GPU
// is needed. Every graph has to have an engine whose bits are the same in every run and that takes
// no more memory than it may; an engine that is not compiled at run time has to become ready, too.
// Here are the kinds of which the zoo (zoo_test.cpp) has none.
#include <gmock/gmock.h>

#include "backend/cuda/cudnn_convolution.h"
#include "tests/cudnn/described_device.h"
#include "tests/error_of.h"

namespace orepa::cuda {
namespace {

struct Case {
  const char* name;
  ConvolutionGeometry geometry;
};

const Case kCases[] = {
    {"odd_channels", {.input = {1, 7, 28, 28}, .kernel = {13, 7, 3, 3}, .pad = {1, 1}}},
    {"groups_of_two",
     {.input = {1, 64, 28, 28}, .kernel = {96, 2, 3, 3}, .pad = {1, 1}, .groups = 32}},
    {"depthwise_5x5",
     {.input = {1, 64, 28, 28}, .kernel = {64, 1, 5, 5}, .pad = {2, 2}, .groups = 64}},
    {"rectangle", {.input = {1, 64, 28, 20}, .kernel = {64, 64, 1, 7}, .pad = {0, 3}}},
    {"dilation",
     {.input = {1, 64, 28, 28}, .kernel = {64, 64, 3, 3}, .pad = {2, 2}, .dilation = {2, 2}}},
};

// In batches of 1 and 32 and in both types. `what` names it.
template <class Check>
void for_each_geometry(Check check) {
  for (const Case& c : kCases)
    for (const int64_t batch : {1, 32})
      for (const DType type : {DType::kFloat32, DType::kBFloat16}) {
        ConvolutionGeometry g = c.geometry;
        g.input = {batch, g.input[1], g.input[2], g.input[3]};
        g.type = type;
        check(g, text(c.name, ", batch ", batch,
                      type == DType::kFloat32 ? ", float32" : ", bfloat16"));
      }
}

class CudnnSupport : public testing::TestWithParam<const char*> {
 protected:
  void SetUp() override { target_ = described(GetParam()); }
  Target target_;
};

TEST_P(CudnnSupport, ReachesEveryPass) {
  for_each_geometry([&](const ConvolutionGeometry& g, const std::string& what) {
    const EngineLimits limits = engine_limits(g, {});
    for (const Graph& graph :
         {forward_graph(g), backward_data_graph(g), backward_kernel_graph(g)}) {
      const std::optional<GraphPlan> plan = GraphPlan::make(graph, target_, limits);
      ASSERT_TRUE(plan.has_value()) << what << ": " << graph.name();
      EXPECT_LE(plan->workspace(), limits.workspace) << what << ": " << graph.name();
    }
  });
}

// These engines are compiled when a plan is made, for which a device has to be there.
TEST_P(CudnnSupport, ReachesBiasAndReluInOneExceptOfDepthwiseInBFloat16) {
  for_each_geometry([&](ConvolutionGeometry g, const std::string& what) {
    g.training = false;
    const bool depthwise = g.groups == g.input[1];
    for (const bool bias : {true, false})
      for (const bool relu : {true, false}) {
        if (!bias && !relu) continue;
        g.bias = bias;
        g.relu = relu;
        EXPECT_EQ(suggestions(fused_forward_graph(g), target_, engine_limits(g, {})).empty(),
                  depthwise && g.type == DType::kBFloat16)
            << what << (bias ? ", bias" : "") << (relu ? ", ReLU" : "");
      }
  });
}

TEST_P(CudnnSupport, KeepsToItsLimits) {
  const ConvolutionGeometry g{.input = {32, 64, 56, 56}, .kernel = {64, 64, 3, 3}, .pad = {1, 1}};
  const Graph graph = forward_graph(g);
  const EngineLimits limits = engine_limits(g, {});
  const size_t exact = suggestions(graph, target_, limits).size();
  EXPECT_GT(suggestions(graph, target_, engine_limits(g, {.tf32 = true})).size(), exact);
  // Winograd's filtering, which cuDNN 9.19 suggests for this one on an A100 alone.
  const size_t direct =
      suggestions(graph, target_, engine_limits(g, {.algorithm = Algorithm::kDirect})).size();
  EXPECT_EQ(direct, std::string(GetParam()) == "a100" ? exact - 1 : exact);
  EngineLimits small = limits;
  small.workspace = 0;
  const std::vector<Configuration> frugal = suggestions(graph, target_, small);
  EXPECT_LT(frugal.size(), exact);
  for (const Configuration& suggestion : frugal) EXPECT_EQ(suggestion.workspace, 0);
}

TEST_P(CudnnSupport, SaysWhatIsWrongWithAGraph) {
  const ConvolutionGeometry g{.input = {1, 8, 8, 8}, .kernel = {8, 8, 3, 3}};
  Graph graph("a convolution");
  const Graph::Value wrong = graph.tensor(kY, {1, 8, 5, 6}, g.type);
  const std::string error = error_of([&] {
    graph.convolution(g, graph.tensor(kX, g.input, g.type), graph.tensor(kKernel, g.kernel, g.type),
                      wrong);
  });
  EXPECT_THAT(error, testing::HasSubstr("a convolution: an operation: cuDNN says CUDNN_STATUS_"));
}

INSTANTIATE_TEST_SUITE_P(Of, CudnnSupport, testing::Values("a100", "h100", "b200"),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace orepa::cuda
