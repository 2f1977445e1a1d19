#include "backend/cuda/cudnn_convolution.h"
#include "orepa/error.h"

namespace orepa::cuda {
namespace {

std::string name(const char* pass, const ConvolutionGeometry& g) {
  return text(pass, " of ", g.input.str(), " with ", g.kernel.str(), ", groups ", g.groups, ", in ",
              g.type == DType::kFloat32 ? "float32" : "bfloat16");
}

}  // namespace

Graph forward_graph(const ConvolutionGeometry& g) {
  Graph graph(name("convolution", g));
  graph.convolution(g, graph.tensor(kX, g.input, g.type), graph.tensor(kKernel, g.kernel, g.type),
                    graph.tensor(kY, g.output(), g.type));
  return graph;
}

Graph fused_forward_graph(const ConvolutionGeometry& g) {
  Graph graph(name(g.relu ? "convolution and ReLU" : "convolution and bias", g));
  const Graph::Value y = graph.tensor(kY, g.output(), g.type);
  Graph::Value sum = graph.intermediate(g.output());
  graph.convolution(g, graph.tensor(kX, g.input, g.type), graph.tensor(kKernel, g.kernel, g.type),
                    sum);
  if (g.bias) {
    const Graph::Value bias = graph.tensor(kBias, {1, g.kernel[0], 1, 1}, DType::kFloat32);
    const Graph::Value biased = g.relu ? graph.intermediate(g.output()) : y;
    graph.add(sum, bias, biased);
    sum = biased;
  }
  if (g.relu) graph.relu(sum, y);
  return graph;
}

Graph backward_data_graph(const ConvolutionGeometry& g) {
  Graph graph(name("gradient of the input of a convolution", g));
  graph.convolution_backward_data(g, graph.tensor(kY, g.output(), g.type),
                                  graph.tensor(kKernel, g.kernel, g.type),
                                  graph.tensor(kX, g.input, g.type));
  return graph;
}

Graph backward_kernel_graph(const ConvolutionGeometry& g) {
  Graph graph(name("gradient of the kernel of a convolution", g));
  graph.convolution_backward_kernel(g, graph.tensor(kX, g.input, g.type),
                                    graph.tensor(kY, g.output(), g.type),
                                    graph.tensor(kKernel, g.kernel, g.type));
  return graph;
}

EngineLimits engine_limits(const ConvolutionGeometry& geometry, const DeviceOptions& options) {
  return {.tensor_cores = geometry.type == DType::kBFloat16 || options.tf32,
          .minimal_filtering = options.algorithm == Algorithm::kAuto,
          .workspace = options.workspace_limit};
}

}  // namespace orepa::cuda
