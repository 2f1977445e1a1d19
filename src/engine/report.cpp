// What there is to say of each layer: Net::report() and the times that it shows.
#include "engine/engine.h"

namespace orepa {

void Net::profile(bool on) {
  engine_->profiling = on;
  for (Engine::CompiledNode& node : engine_->nodes) {
    node.seconds.fill(0);
    node.calls.fill(0);
  }
}

bool Net::profiles() const { return engine_->profiling; }

std::vector<LayerReport> Net::report() const {
  std::vector<LayerReport> rows;
  for (size_t n = 0; n < engine_->nodes.size(); ++n) {
    const Node& node = engine_->graph.nodes[n];
    const Engine::CompiledNode& compiled = engine_->nodes[n];
    LayerReport row;
    row.name = node.spec.name;
    row.type = node.spec.type;
    for (const LayerSpec& absorbed : node.absorbed) {
      row.name += " + " + absorbed.name;
      row.type += " + " + absorbed.type;
    }
    row.note = compiled.layer->note();
    for (const int v : node.outputs) {
      row.outputs.push_back(engine_->shapes[v]);
      row.activation_bytes += engine_->value(v).bytes();
    }
    for (const NodeMemory& memory : compiled.declaration.traits.memory)
      if (memory.is_saved()) row.activation_bytes += memory.bytes;
    for (const Parameter* parameter : compiled.declaration.parameters()) {
      const int64_t count = parameter->value.shape.count();
      if (parameter->kind == Parameter::Kind::kLearned) row.parameters += count;
      if (parameter->kind != Parameter::Kind::kBuffer && !parameter->factor)
        row.merged_parameters += count;
    }
    if (engine_->folds_into_convolution(node)) {
      // What stays of it is the convolution's bias, where that has none yet.
      const Engine::CompiledNode& convolution =
          engine_->nodes[engine_->graph.values[node.inputs[0]].producer];
      row.merged_parameters = engine_->shapes[node.inputs[0]][1];
      for (const Parameter* parameter : convolution.declaration.parameters())
        if (parameter->name == "bias") row.merged_parameters = 0;
    }
    row.macs = compiled.layer->macs();
    row.seconds = compiled.seconds;
    row.calls = compiled.calls;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace orepa
