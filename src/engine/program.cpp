#include "engine/program.h"

#include <algorithm>
#include <iterator>
#include <map>

#include "orepa/device.h"

namespace orepa {
namespace {

class ProgramBuilder {
 public:
  ProgramBuilder(const Graph& graph, const std::vector<NodeTraits>& traits,
                 const ProgramOptions& options)
      : graph_(graph), traits_(traits), options_(options) {
    const size_t values = graph.values.size();
    for (const NodeTraits& node : traits) program_.memory.emplace_back(node.memory.size(), -1);
    program_.input.resize(graph.nodes.size());
    program_.value_buffer.assign(values, -1);
    program_.value_gradient.assign(values, -1);
    wants_gradient_.assign(values, false);
  }

  Program build() {
    for (const std::vector<int>& nodes : groups(Stage::kPrepare, &NodeTraits::prepares))
      add(nodes, Step::Kind::kPrepare, Stage::kPrepare);
    program_.forward = now();
    for (int n = 0; n < node_count(); ++n)
      if (is_source(n)) forward(n);
    program_.compute = now();
    for (int n = 0; n < node_count(); ++n)
      if (!is_source(n)) forward(n);
    program_.backward = now();
    if (options_.backward) {
      find_wanted_gradients();
      seed();
      for (int n = node_count() - 1; n >= 0; --n) backward(n);
    }
    read();
    program_.finish = now();
    for (const std::vector<int>& nodes : groups(Stage::kFinish, &NodeTraits::updates)) {
      std::vector<int> finishing;
      std::copy_if(nodes.begin(), nodes.end(), std::back_inserter(finishing),
                   [&](int n) { return traits_[n].finishes; });
      if (!finishing.empty()) add(std::move(finishing), Step::Kind::kFinish, Stage::kFinish);
      add(nodes, Step::Kind::kUpdate, Stage::kUpdate);
    }
    return std::move(program_);
  }

 private:
  int node_count() const { return static_cast<int>(graph_.nodes.size()); }
  bool is_source(int n) const { return graph_.nodes[n].inputs.empty(); }
  int now() const { return static_cast<int>(program_.steps.size()); }

  int new_buffer(int64_t bytes, DType type, std::vector<int> may_take_over = {}) {
    program_.buffers.push_back({bytes, now(), now(), std::move(may_take_over)});
    program_.types.push_back(type);
    return static_cast<int>(program_.buffers.size()) - 1;
  }
  void use(int buffer, int step) {
    program_.buffers[buffer].last = std::max(program_.buffers[buffer].last, step);
  }
  DType type(int value) const { return program_.types[program_.value_buffer[value]]; }
  int64_t bytes(int value, DType as) const {
    const int own = program_.value_buffer[value];
    return program_.buffers[own].bytes / size_of(program_.types[own]) * size_of(as);
  }

  // A buffer of value v, or of its gradient, in that type: this one, or a cast of it.
  int cast(int v, int buffer, DType to) {
    if (program_.types[buffer] == to) return buffer;
    Step step;
    step.kind = Step::Kind::kCast;
    step.a = buffer;
    use(step.a, now());
    step.out = new_buffer(bytes(v, to), to);
    const int made = step.out;
    program_.steps.push_back(std::move(step));
    return made;
  }

  // The node's memory in its step of that stage, which comes next.
  void use_memory(int n, Stage stage) {
    for (size_t m = 0; m < traits_[n].memory.size(); ++m) {
      const NodeMemory& memory = traits_[n].memory[m];
      int& buffer = program_.memory[n][m];
      if (memory.first == stage) buffer = new_buffer(memory.bytes, DType::kFloat32);
      if (memory.last == stage) use(buffer, now());
    }
  }

  void add(std::vector<int> nodes, Step::Kind kind, Stage stage) {
    for (const int n : nodes) use_memory(n, stage);
    Step step;
    step.kind = kind;
    step.nodes = std::move(nodes);
    program_.steps.push_back(std::move(step));
  }

  // The nodes that are in it, neighbours together as long as what they begin to use in that stage
  // has room in step_bytes.
  std::vector<std::vector<int>> groups(Stage stage, bool NodeTraits::*in) const {
    std::vector<std::vector<int>> groups;
    int64_t together = 0;
    for (int n = 0; n < node_count(); ++n) {
      if (!(traits_[n].*in)) continue;
      int64_t bytes = 0;
      for (const NodeMemory& memory : traits_[n].memory)
        if (memory.first == stage) bytes += aligned(memory.bytes);
      together += bytes;
      if (groups.empty() || options_.step_bytes == 0 || together > options_.step_bytes) {
        groups.emplace_back();
        together = bytes;
      }
      groups.back().push_back(n);
    }
    return groups;
  }

  // What is kept lives until here: no step before may write over it, the last one neither.
  void read() {
    for (size_t v = 0; v < graph_.values.size(); ++v)
      if (graph_.values[v].consumers.empty()) use(program_.value_buffer[v], now());
    for (const int v : options_.keep_values) use(program_.value_buffer[v], now());
    for (const int v : options_.want_gradients)
      if (program_.value_gradient[v] >= 0) use(program_.value_gradient[v], now());
    Step step;
    step.kind = Step::Kind::kRead;
    program_.steps.push_back(std::move(step));
  }

  void forward(int n) {
    const Node& node = graph_.nodes[n];
    const NodeTraits& traits = traits_[n];
    for (const int v : node.inputs) {
      int& buffer = casts_.try_emplace({v, traits.type}, program_.value_buffer[v]).first->second;
      buffer = cast(v, buffer, traits.type);
      program_.input[n].push_back(buffer);
    }
    for (const int buffer : program_.input[n]) use(buffer, now());
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      std::vector<int> may_take_over;
      for (const auto& [output, input] : traits.may_overwrite)
        if (output == static_cast<int>(o)) may_take_over.push_back(program_.input[n][input]);
      const int buffer = new_buffer(traits.output_counts[o] * size_of(traits.type), traits.type,
                                    std::move(may_take_over));
      // What the caller sets is there before the first forward step.
      if (node.spec.type == "Input") program_.buffers[buffer].first = program_.forward;
      program_.value_buffer[node.outputs[o]] = buffer;
    }
    use_memory(n, Stage::kForward);
    Step step;
    step.kind = Step::Kind::kForward;
    step.node = n;
    program_.steps.push_back(std::move(step));
  }

  // A value's gradient is wanted where something that learns, or a value the caller asks about,
  // lies above it.
  void find_wanted_gradients() {
    for (const int v : options_.want_gradients) wants_gradient_[v] = true;
    for (int n = 0; n < node_count(); ++n) {
      const Node& node = graph_.nodes[n];
      if (traits_[n].forward_only) continue;
      bool wanted = traits_[n].learns;
      for (size_t i = 0; i < node.inputs.size(); ++i)
        wanted = wanted || (traits_[n].differentiable[i] && wants_gradient_[node.inputs[i]]);
      for (const int v : node.outputs) wants_gradient_[v] = wants_gradient_[v] || wanted;
    }
  }

  void seed() {
    for (const int v : options_.seed_values) {
      if (!wants_gradient_[v]) continue;
      Step step;
      step.kind = Step::Kind::kSeed;
      step.value_index = v;
      contribute(v, step, DType::kFloat32);
    }
    for (int n = 0; n < node_count(); ++n)
      for (size_t o = 0; o < graph_.nodes[n].outputs.size(); ++o) {
        const int v = graph_.nodes[n].outputs[o];
        if (traits_[n].loss_weight[o] != 0 && wants_gradient_[v])
          contribute(v, fill_step(traits_[n].loss_weight[o]), type(v));
      }
  }

  static Step fill_step(float value) {
    Step step;
    step.kind = Step::Kind::kFill;
    step.fill = value;
    return step;
  }

  // A step that makes a gradient of value v in a new buffer.
  void contribute(int v, Step step, DType type) {
    step.out = new_buffer(bytes(v, type), type);
    const int made = step.out;
    program_.steps.push_back(std::move(step));
    add_gradient(v, made);
  }

  // Makes `buffer` a part of value v's gradient, summing at once.
  void add_gradient(int v, int buffer) {
    buffer = cast(v, buffer, type(v));
    int& total = program_.value_gradient[v];
    if (total < 0) {
      total = buffer;
      return;
    }
    Step step;
    step.kind = Step::Kind::kAccumulate;
    step.a = total;
    step.b = buffer;
    use(step.a, now());
    use(step.b, now());
    step.out = new_buffer(bytes(v, type(v)), type(v), {step.a, step.b});
    total = step.out;
    program_.steps.push_back(std::move(step));
  }

  void backward(int n) {
    const Node& node = graph_.nodes[n];
    const NodeTraits& traits = traits_[n];
    if (traits.forward_only) return;
    const auto reached = [&](int v) { return program_.value_gradient[v] >= 0; };
    if (std::none_of(node.outputs.begin(), node.outputs.end(), reached)) return;
    bool needed = traits.learns;
    std::vector<bool> wanted(node.inputs.size());
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      wanted[i] = traits.differentiable[i] && wants_gradient_[node.inputs[i]];
      needed = needed || wanted[i];
    }
    if (!needed) return;
    for (const int v : node.outputs)
      if (!reached(v)) contribute(v, fill_step(0), type(v));

    Step step;
    step.kind = Step::Kind::kBackward;
    step.node = n;
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      step.output_gradients.push_back(program_.value_gradient[node.outputs[o]]);
      use(step.output_gradients.back(), now());
      if (traits.reads_output[o]) use(program_.value_buffer[node.outputs[o]], now());
    }
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (traits.reads_input[i]) use(program_.input[n][i], now());
    use_memory(n, Stage::kBackward);

    step.input_gradients.assign(node.inputs.size(), -1);
    int shared = -1;
    for (size_t i = 0; i < node.inputs.size(); ++i) {
      if (!wanted[i]) continue;
      if (shared < 0 || !traits.inputs_share_gradient) {
        std::vector<int> may_take_over;
        if (traits.gradient_may_overwrite[i]) may_take_over = {step.output_gradients[0]};
        shared =
            new_buffer(bytes(node.inputs[i], traits.type), traits.type, std::move(may_take_over));
      }
      step.input_gradients[i] = shared;
    }
    // The layer writes the shared gradient as that of its first input, wanted or not.
    if (traits.inputs_share_gradient) step.input_gradients[0] = shared;
    const std::vector<int> made = step.input_gradients;
    program_.steps.push_back(std::move(step));
    for (size_t i = 0; i < node.inputs.size(); ++i)
      if (wanted[i]) add_gradient(node.inputs[i], made[i]);
  }

  const Graph& graph_;
  const std::vector<NodeTraits>& traits_;
  const ProgramOptions& options_;
  Program program_;
  std::vector<bool> wants_gradient_;
  std::map<std::pair<int, DType>, int> casts_;  // where a value stands in a type that it is read in
};

}  // namespace

Program make_program(const Graph& graph, const std::vector<NodeTraits>& traits,
                     const ProgramOptions& options) {
  return ProgramBuilder(graph, traits, options).build();
}

}  // namespace orepa
