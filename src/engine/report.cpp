// What there is to say of each layer: Net::report() and the times that it shows.
#include <algorithm>

#include "engine/engine.h"

namespace orepa {
namespace {

// Of buffers, each once; -1 is none.
int64_t bytes_of(std::vector<int> buffers, const Program& program) {
  std::sort(buffers.begin(), buffers.end());
  buffers.erase(std::unique(buffers.begin(), buffers.end()), buffers.end());
  int64_t bytes = 0;
  for (const int buffer : buffers)
    if (buffer >= 0) bytes += program.buffers[buffer].bytes;
  return bytes;
}

Traffic forward_traffic(int n, const Node& node, const NodeTraits& traits, const Program& program) {
  std::vector<int> written;
  for (const int value : node.outputs) written.push_back(program.value_buffer[value]);
  for (size_t i = 0; i < traits.memory.size(); ++i)
    if (traits.memory[i].is_saved()) written.push_back(program.memory[n][i]);
  return {.read = bytes_of(program.input[n], program), .written = bytes_of(written, program)};
}

Traffic backward_traffic(int n, const Node& node, const NodeTraits& traits,
                         const Program& program) {
  for (const Step& step : program.steps) {
    if (step.kind != Step::Kind::kBackward || step.node != n) continue;
    std::vector<int> read = step.output_gradients;
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (traits.reads_input[i]) read.push_back(program.input[n][i]);
    for (size_t i = 0; i < node.outputs.size(); ++i)
      if (traits.reads_output[i]) read.push_back(program.value_buffer[node.outputs[i]]);
    for (size_t i = 0; i < traits.memory.size(); ++i)
      if (traits.memory[i].is_saved()) read.push_back(program.memory[n][i]);
    return {.read = bytes_of(read, program), .written = bytes_of(step.input_gradients, program)};
  }
  return {};
}

}  // namespace

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
    for (const Parameter* parameter : compiled.declaration.first_parameters()) {
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
    const NodeTraits& traits = compiled.declaration.traits;
    row.forward = forward_traffic(static_cast<int>(n), node, traits, engine_->program);
    row.backward = backward_traffic(static_cast<int>(n), node, traits, engine_->program);
    row.macs = compiled.layer->macs();
    row.seconds = compiled.seconds;
    row.calls = compiled.calls;
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace orepa
