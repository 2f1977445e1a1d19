#include "backend/cuda/cudnn_engine.h"

#include <algorithm>
#include <array>

namespace orepa::cuda {
namespace {

constexpr size_t kMostTensors = 8;  // of a graph, in memory

bool unsupported(cudnnStatus_t status) {
  return CUDNN_STATUS_CATEGORY(status) == CUDNN_STATUS_NOT_SUPPORTED;
}

// Empty where the mode knows no engine.
std::vector<Descriptor> configurations(const Graph& graph, const Target& target,
                                       const Descriptor& finalized, cudnnBackendHeurMode_t mode) {
  Descriptor heuristics(CUDNN_BACKEND_ENGINEHEUR_DESCRIPTOR);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_OPERATION_GRAPH, finalized);
  heuristics.set(CUDNN_ATTR_ENGINEHEUR_MODE, mode);
  if (target.description) heuristics.set(CUDNN_ATTR_ENGINEHEUR_DEVICEPROP, target.description);
  const cudnnStatus_t status = heuristics.finalize();
  if (unsupported(status)) return {};
  check(status, graph.name(), ": its engines");
  return heuristics.descriptors(CUDNN_ATTR_ENGINEHEUR_RESULTS, CUDNN_BACKEND_ENGINECFG_DESCRIPTOR);
}

bool allowed(cudnnBackendNumericalNote_t note, const EngineLimits& limits) {
  switch (note) {
    case CUDNN_NUMERICAL_NOTE_NONDETERMINISTIC:
      return false;
    case CUDNN_NUMERICAL_NOTE_TENSOR_CORE:
    case CUDNN_NUMERICAL_NOTE_DOWN_CONVERT_INPUTS:
      return limits.tensor_cores;
    case CUDNN_NUMERICAL_NOTE_FFT:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_4x4:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_6x6:
    case CUDNN_NUMERICAL_NOTE_WINOGRAD_TILE_13x13:
      return limits.minimal_filtering;
    default:
      return true;
  }
}

bool allowed(const Configuration& configuration, const EngineLimits& limits) {
  if (configuration.workspace > limits.workspace) return false;
  const Descriptor engine = configuration.descriptor.descriptor(CUDNN_ATTR_ENGINECFG_ENGINE,
                                                                CUDNN_BACKEND_ENGINE_DESCRIPTOR);
  const auto notes = engine.all<cudnnBackendNumericalNote_t>(CUDNN_ATTR_ENGINE_NUMERICAL_NOTE,
                                                             CUDNN_NUMERICAL_NOTE_TYPE_COUNT);
  return std::all_of(notes.begin(), notes.end(),
                     [&](cudnnBackendNumericalNote_t note) { return allowed(note, limits); });
}

}  // namespace

std::vector<Configuration> suggestions(const Graph& graph, const Target& target,
                                       const EngineLimits& limits) {
  const Descriptor finalized = graph.finalized(target);
  std::vector<Configuration> chosen;
  for (const auto mode : {CUDNN_HEUR_MODE_A, CUDNN_HEUR_MODE_FALLBACK})
    for (const Descriptor& one : configurations(graph, target, finalized, mode)) {
      const Configuration configuration{one, one.number(CUDNN_ATTR_ENGINECFG_WORKSPACE_SIZE)};
      if (allowed(configuration, limits)) chosen.push_back(configuration);
    }
  return chosen;
}

std::optional<GraphPlan> GraphPlan::make(const Graph& graph, const Target& target,
                                         const EngineLimits& limits) {
  std::string failure;  // the first that is not for want of support
  for (const Configuration& suggestion : suggestions(graph, target, limits)) {
    Descriptor plan(CUDNN_BACKEND_EXECUTION_PLAN_DESCRIPTOR);
    plan.set(CUDNN_ATTR_EXECUTION_PLAN_ENGINE_CONFIG, suggestion.descriptor);
    if (target.handle) plan.set(CUDNN_ATTR_EXECUTION_PLAN_HANDLE, target.handle);
    if (target.description) plan.set(CUDNN_ATTR_EXECUTION_PLAN_DEVICEPROP, target.description);
    const cudnnStatus_t status = plan.finalize();
    if (status == CUDNN_STATUS_SUCCESS) return GraphPlan(graph.name(), plan);
    if (!unsupported(status) && failure.empty()) failure = describe(status);
  }
  require(failure.empty(), graph.name(), ": no engine can be made ready; cuDNN says ", failure);
  return std::nullopt;
}

// cuDNN wants a pack of its own for every run: one that is finalised takes no other addresses.
void GraphPlan::run(cudnnHandle_t handle, std::initializer_list<TensorAddress> tensors,
                    void* workspace) const {
  std::array<int64_t, kMostTensors> ids;
  std::array<void*, kMostTensors> addresses;
  require(tensors.size() <= kMostTensors, name_, ": more than ", kMostTensors, " tensors");
  size_t count = 0;
  for (const TensorAddress& tensor : tensors) {
    ids[count] = tensor.id;
    addresses[count++] = const_cast<void*>(tensor.data);
  }
  Descriptor pack(CUDNN_BACKEND_VARIANT_PACK_DESCRIPTOR);
  pack.set(CUDNN_ATTR_VARIANT_PACK_UNIQUE_IDS, std::span<const int64_t>(ids.data(), count));
  pack.set(CUDNN_ATTR_VARIANT_PACK_DATA_POINTERS, std::span<void* const>(addresses.data(), count));
  pack.set(CUDNN_ATTR_VARIANT_PACK_WORKSPACE, workspace);
  check(pack.finalize(), name_, ": its tensors");
  check(cudnnBackendExecute(handle, plan_.get(), pack.get()), name_);
}

}  // namespace orepa::cuda
