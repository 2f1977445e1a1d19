// What the real cuDNN says of the graphs of convolutions on devices that are only described: no GPU
// is needed. Every graph has to have an engine whose bits are the same in every run and that takes
// no more memory than it may; an engine that is not compiled at run time has to become ready, too.
#include <gtest/gtest.h>

#include <set>

#include "backend/cuda/cudnn_convolution.h"
#include "tests/files.h"

namespace orepa::cuda {
namespace {

struct Case {
  const char* name;
  ConvolutionGeometry geometry;
};

const Case kCases[] = {
    {"3x3", {.input = {1, 64, 56, 56}, .kernel = {128, 64, 3, 3}, .pad = {1, 1}}},
    {"3x3_stride_2",
     {.input = {1, 64, 56, 56}, .kernel = {128, 64, 3, 3}, .stride = {2, 2}, .pad = {1, 1}}},
    {"1x1", {.input = {1, 64, 56, 56}, .kernel = {256, 64, 1, 1}}},
    {"1x1_stride_2", {.input = {1, 256, 56, 56}, .kernel = {512, 256, 1, 1}, .stride = {2, 2}}},
    {"stem", {.input = {1, 3, 224, 224}, .kernel = {64, 3, 7, 7}, .stride = {2, 2}, .pad = {3, 3}}},
    {"stem_3x3",
     {.input = {1, 3, 224, 224}, .kernel = {48, 3, 3, 3}, .stride = {2, 2}, .pad = {1, 1}}},
    {"odd_channels", {.input = {1, 7, 28, 28}, .kernel = {13, 7, 3, 3}, .pad = {1, 1}}},
    {"groups_32",
     {.input = {1, 128, 56, 56}, .kernel = {128, 4, 3, 3}, .pad = {1, 1}, .groups = 32}},
    {"depthwise", {.input = {1, 64, 56, 56}, .kernel = {64, 1, 3, 3}, .pad = {1, 1}, .groups = 64}},
    {"dilation",
     {.input = {1, 64, 28, 28}, .kernel = {64, 64, 3, 3}, .pad = {2, 2}, .dilation = {2, 2}}},
};

struct Support {
  std::string device, what;
  size_t suggestions;
};

class CudnnSupport : public testing::TestWithParam<const char*> {
 protected:
  Target target_ = described_device(
      read_file(source_file(text("tests/backend/cuda/devices/", GetParam(), ".json"))));
};

std::string describe(const Case& c, const ConvolutionGeometry& g) {
  return text(c.name, ", batch ", g.input[0], ", ",
              g.type == DType::kFloat32 ? "float32" : "bfloat16");
}

template <class Check>
void for_each_geometry(Check check) {
  for (const Case& c : kCases)
    for (const int64_t batch : {1, 32})
      for (const DType type : {DType::kFloat32, DType::kBFloat16}) {
        ConvolutionGeometry g = c.geometry;
        g.input = {batch, g.input[1], g.input[2], g.input[3]};
        g.type = type;
        check(g, describe(c, g));
      }
}

TEST_P(CudnnSupport, ComputesEveryPass) {
  for_each_geometry([&](const ConvolutionGeometry& g, const std::string& what) {
    const EngineLimits limits = engine_limits(g, {});
    for (const Graph& graph : {forward_graph(g), backward_data_graph(g), backward_kernel_graph(g)})
      EXPECT_FALSE(suggestions(graph, target_, limits).empty()) << what << ": " << graph.name();
  });
}

}  // namespace
}  // namespace orepa::cuda
