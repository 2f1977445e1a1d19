// Running: the steps of a program, one after the other.
#include <algorithm>
#include <chrono>
#include <cmath>

#include "core/rank_report.h"
#include "engine/engine.h"
#include "engine/pass.h"
#include "orepa/numbers.h"

namespace orepa {
namespace {

struct Fill {
  float value;
  Numbers out;
  OREPA_HD void operator()(int64_t i) const { out.set(i, value); }
};

struct Add {
  Numbers a, b, out;
  OREPA_HD void operator()(int64_t i) const { out.set(i, a[i] + b[i]); }
};

struct Cast {
  Numbers from, to;
  OREPA_HD void operator()(int64_t i) const { to.set(i, from[i]); }
};

bool all_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

}  // namespace

template <class Call>
void Net::Engine::timed(int node, Stage stage, Call call) {
  nodes[node].calls[static_cast<int>(stage)]++;
  try {
    if (!profiling) return call();
    using Clock = std::chrono::steady_clock;
    device().synchronize();
    const Clock::time_point start = Clock::now();
    call();
    device().synchronize();
    nodes[node].seconds[static_cast<int>(stage)] +=
        std::chrono::duration<double>(Clock::now() - start).count();
  } catch (const Error& error) {
    const LayerSpec& spec = graph.nodes[node].spec;
    if (const std::string what = error.what(); what.find("layer \"") != std::string::npos) throw;
    fail("layer \"", spec.name, "\" (", spec.type, "): ", error.what());
  }
}

template <class Call>
void Net::Engine::each(const std::vector<int>& nodes, Stage stage, Call call) {
  const auto one = [&](int64_t i) { timed(nodes[i], stage, [&] { call(nodes[i]); }); };
  const auto count = static_cast<int64_t>(nodes.size());
  if (profiling)  // each by itself
    for (int64_t i = 0; i < count; ++i) one(i);
  else
    device().each_independent(count, one);
}

// What a layer finds wrong with the labels of its last forward pass, and of which sample.
std::string Net::Engine::bad_row(int node) const {
  NodePass pass(*this, node);
  const std::optional<BadRow> bad = nodes[node].layer->bad_row(pass);
  if (!bad) return "";
  for (const CompiledNode& source : nodes)
    if (const std::optional<int64_t> sample = source.layer->sample(pass_index, bad->row))
      return text(": sample ", *sample, " of the data, counted from 0: ", bad->what);
  return text(": sample ", bad->row, " of pass ", pass_index, ", counted from 0: ", bad->what);
}

// The first one of a layer whose forward pass has just run, and what else is known of it.
std::string Net::Engine::non_finite_output(int node) const {
  const Node& ran = graph.nodes[node];
  for (const int v : ran.outputs)
    if (!all_finite(read(value(v))))
      return text("layer \"", ran.spec.name, "\" (", ran.spec.type, "), output \"",
                  graph.values[v].name, "\"", bad_row(node));
  return "";
}

void Net::Engine::run(int begin, int end, const Calls& calls) {
  for (int s = begin; s < end; ++s) run(program.steps[s], calls);
}

void Net::Engine::run(const Step& step, const Calls& calls) {
  switch (step.kind) {
    case Step::Kind::kPrepare:
      each(step.nodes, Stage::kPrepare, [&](int node) { prepare(node); });
      break;
    case Step::Kind::kForward: {
      NodePass pass(*this, step.node);
      timed(step.node, Stage::kForward, [&] { nodes[step.node].layer->forward(pass); });
      if (watch) tell_forward(step.node);
      break;
    }
    case Step::Kind::kBackward: {
      NodePass pass(*this, step.node, &step);
      timed(step.node, Stage::kBackward, [&] { nodes[step.node].layer->backward(pass); });
      for (Parameter* parameter : nodes[step.node].declaration.parameters())
        parameter->gradient_written = true;
      if (watch) tell_backward(step);
      if (calls.written == nullptr || !*calls.written) break;
      std::vector<Parameter*> parameters = nodes[step.node].complete;
      std::erase_if(parameters, [](const Parameter* parameter) { return !parameter->gradient; });
      (*calls.written)(parameters);
      break;
    }
    case Step::Kind::kFill: {
      const Tensor out = numbers(step.out);
      parallel_for(device(), out.count(), Fill{step.fill, out});
      break;
    }
    case Step::Kind::kSeed: {
      const auto given = staged_gradients.find(step.value_index);
      if (given == staged_gradients.end())
        device().zero(buffer(step.out), program.buffers[step.out].bytes);
      else
        given->second.send(buffer(step.out));
      break;
    }
    case Step::Kind::kAccumulate: {
      const Tensor out = numbers(step.out);
      parallel_for(device(), out.count(), Add{numbers(step.a), numbers(step.b), out});
      break;
    }
    case Step::Kind::kCast: {
      const Tensor out = numbers(step.out);
      parallel_for(device(), out.count(), Cast{numbers(step.a), out});
      break;
    }
    case Step::Kind::kRead:
      break;
    case Step::Kind::kFinish:
      each(step.nodes, Stage::kFinish, [&](int node) { finish(node); });
      break;
    case Step::Kind::kUpdate:
      this->update(step.nodes, *calls.update);
      break;
  }
}

void Net::Engine::prepare(int node) {
  NodePass pass(*this, node);
  nodes[node].layer->prepare(pass);
  for (const Slot& slot : nodes[node].declaration.slots) {
    if (slot.copy != nullptr) slot.copy->version = parameters.version();
    if (slot.parameter != nullptr) slot.parameter->version = parameters.version();
  }
}

// What no backward pass reached has the gradient 0.
void Net::Engine::zero_unwritten_gradients(int node) {
  for (Parameter* parameter : nodes[node].declaration.parameters())
    if (parameter->gradient && !parameter->gradient_written && !parameter->factor)
      device().zero(parameter->gradient.data, parameter->gradient.bytes());
}

void Net::Engine::finish(int node) {
  zero_unwritten_gradients(node);
  for (const Slot& slot : nodes[node].declaration.slots)
    if (slot.parameter != nullptr && slot.index >= 0)
      slot.parameter->gradient = {buffer(program.memory[node][slot.index]),
                                  slot.parameter->value.shape};
  NodePass pass(*this, node);
  nodes[node].layer->finish(pass);
}

void Net::Engine::update(const std::vector<int>& nodes, const Update& update) {
  std::vector<Parameter*> learned;
  for (const int node : nodes) {
    if (!this->nodes[node].declaration.traits.finishes) zero_unwritten_gradients(node);
    const std::vector<Parameter*>& own = this->nodes[node].learned;
    learned.insert(learned.end(), own.begin(), own.end());
    timed(node, Stage::kUpdate, [&] {
      if (profiling) update(own);
    });
  }
  if (!profiling) update(learned);
  for (Parameter* parameter : learned)
    if (parameter->factor) parameter->gradient = {};
}

// Without it, W and packed kernels would be those of an older step.
void Net::Engine::require_prepared() const {
  const bool needed = std::any_of(nodes.begin(), nodes.end(), [](const CompiledNode& node) {
    return node.layer->has_prepare();
  });
  require(!needed || prepared_version == parameters.version(),
          "forward() and backward() need a prepare() after every change of parameters");
}

void Net::Engine::require_held(const std::string& what) const {
  require(held() == Held::kBlobs || held() == Held::kBlobsAndGradients, what,
          " cannot be read: no pass has been run, or its memory has been used ",
          "for something else since; read right after forward() or backward()");
}

std::string Net::find_non_finite() {
  engine_->hold(Engine::Held::kNothing);
  if (engine_->states_before) engine_->states_before->restore();
  engine_->send_inputs();
  for (int s = engine_->program.forward; s < engine_->program.backward; ++s) {
    engine_->run(s, s + 1);
    const int n = engine_->program.steps[s].node;
    if (n < 0) continue;  // a Cast
    std::string found = engine_->non_finite_output(n);
    // Layers may wait for those of other ranks, so that all go equally far.
    if (Communicator* ranks = engine_->options.ranks) found = first_report(*ranks, found);
    if (!found.empty()) return found;
  }
  engine_->hold(Engine::Held::kBlobs);
  return "";
}

}  // namespace orepa
