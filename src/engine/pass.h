// The engine's side of Pass: hands a layer the memory of one call.
#pragma once
#include "engine/program.h"
#include "engine/setup.h"

namespace orepa {

// Short-lived. A template, since Net::Engine is private to Net.
template <class Engine>
class NodePass : public Pass {
 public:
  NodePass(const Engine& engine, int node, const Step* step = nullptr)
      : engine_(engine), node_(node), step_(step) {}

  Device& device() const override { return engine_.device(); }
  Phase phase() const override { return engine_.options.phase; }
  int64_t index() const override { return engine_.pass_index; }
  Random::Purpose random() const override {
    return {engine_.parameters.seed(), "layer " + graph_node().spec.name};
  }
  const uint64_t* step() const override {
    return static_cast<const uint64_t*>(engine_.step.data());
  }

  Tensor input(int i) const override {
    return engine_.tensor(engine_.program.input[node_][i], engine_.shapes[graph_node().inputs[i]]);
  }
  Tensor output(int i) const override { return engine_.value(graph_node().outputs[i]); }
  Tensor input_gradient(int i) const override {
    return engine_.tensor(step_->input_gradients[i], engine_.shapes[graph_node().inputs[i]]);
  }
  Tensor output_gradient(int i) const override {
    return engine_.tensor(step_->output_gradients[i], engine_.shapes[graph_node().outputs[i]]);
  }

  Tensor parameter(Handle handle) const override {
    return {slot(handle).parameter->value.data, slot(handle).shape};
  }
  Tensor gradient(Handle handle) const override {
    return {slot(handle).parameter->gradient.data, slot(handle).shape};
  }
  bool accumulates(Handle handle) const override {
    return slot(handle).parameter->gradient_written;
  }
  bool is_current(Handle handle) const override {
    // A recording packs in every step, whatever others have packed before it was made.
    const Slot& slot = this->slot(handle);
    const int64_t version = slot.copy != nullptr ? slot.copy->version : slot.parameter->version;
    return !device().is_recording() && version == engine_.parameters.version();
  }
  void* memory(Handle handle) const override {
    const Slot& slot = this->slot(handle);
    if (slot.kind == Slot::Kind::kPacked) return slot.copy->memory.data();
    if (slot.kind == Slot::Kind::kPersistent)
      return engine_.persistent_memory(engine_.nodes[node_], slot.index);
    return engine_.buffer(engine_.program.memory[node_].at(slot.index));
  }

 private:
  const Node& graph_node() const { return engine_.graph.nodes[node_]; }
  const Slot& slot(Handle handle) const {
    return engine_.nodes[node_].declaration.slots.at(handle);
  }

  const Engine& engine_;
  int node_;
  const Step* step_;  // of a backward call
};

}  // namespace orepa
