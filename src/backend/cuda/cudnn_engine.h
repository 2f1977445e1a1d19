// Engines of cuDNN: what may compute a graph, and a graph that is ready to run.
#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "backend/cuda/cudnn_graph.h"

namespace orepa::cuda {

// What may be chosen. Engines whose bits change from run to run never are.
struct EngineLimits {
  bool tensor_cores = true;       // of a graph in float32: they round products to TF32
  bool minimal_filtering = true;  // Winograd's, and Fourier's transform
  int64_t workspace = 0;          // bytes
};

// An engine with its settings.
struct Configuration {
  Descriptor descriptor;
  int64_t workspace = 0;  // bytes
};

// What cuDNN suggests within the limits, the best first: a function of the graph, the device and
// cuDNN's version.
std::vector<Configuration> suggestions(const Graph& graph, const Target& target,
                                       const EngineLimits& limits);

// Where a tensor of a graph lies.
struct TensorAddress {
  int64_t id;
  const void* data;
};

class GraphPlan {
 public:
  // Of the first suggestion that can be made ready; none where cuDNN supports none within the
  // limits. Throws Error where it failed otherwise: there is no memory, a library is missing.
  static std::optional<GraphPlan> make(const Graph& graph, const Target& target,
                                       const EngineLimits& limits);

  int64_t workspace() const { return workspace_; }  // bytes
  // `tensors` are all of the graph's that are in memory. On the handle's stream.
  void run(cudnnHandle_t handle, std::initializer_list<TensorAddress> tensors,
           void* workspace) const;

 private:
  GraphPlan(std::string name, Descriptor plan)
      : name_(std::move(name)),
        plan_(std::move(plan)),
        workspace_(plan_.number(CUDNN_ATTR_EXECUTION_PLAN_WORKSPACE_SIZE)) {}

  std::string name_;
  Descriptor plan_;
  int64_t workspace_;
};

}  // namespace orepa::cuda
