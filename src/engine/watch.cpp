#include "engine/watch.h"

#include <cmath>

#include "engine/engine.h"

namespace orepa {
namespace {

double mean_size(Device& device, const Tensor& tensor) {
  double sum = 0;
  for (const float value : read_tensor(device, tensor)) sum += std::abs(value);
  return sum / static_cast<double>(tensor.count());
}

}  // namespace

Measure measure(Device& device, const Parameter& parameter) {
  Measure measure{Stage::kUpdate, parameter.layer, parameter.name, {}, {}};
  measure.data = mean_size(device, parameter.value);
  if (parameter.gradient) measure.gradient = mean_size(device, parameter.gradient);
  return measure;
}

void Net::watch(Watch watch) { engine_->watch = std::move(watch); }

std::string Net::Engine::layers_of(int node) const {
  std::string names = graph.nodes[node].spec.name;
  for (const LayerSpec& absorbed : graph.nodes[node].absorbed) names += " + " + absorbed.name;
  return names;
}

void Net::Engine::tell_forward(int node) const {
  for (const int v : graph.nodes[node].outputs)
    watch({Stage::kForward,
           layers_of(node),
           graph.values[v].name,
           mean_size(device(), value(v)),
           {}});
}

void Net::Engine::tell_backward(const Step& step) const {
  const std::vector<int>& inputs = graph.nodes[step.node].inputs;
  for (size_t i = 0; i < inputs.size(); ++i)
    if (const int made = step.input_gradients[i]; made >= 0)
      watch({Stage::kBackward,
             layers_of(step.node),
             graph.values[inputs[i]].name,
             {},
             mean_size(device(), tensor(made, shapes[inputs[i]]))});
}

}  // namespace orepa
