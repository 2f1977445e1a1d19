#include "orepa/net.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <optional>

#include "graph/fuse.h"
#include "graph/graph.h"
#include "graph/program.h"
#include "node_setup.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

struct Fill {
  float value;
  float* out;
  OREPA_HD void operator()(int64_t i) const { out[i] = value; }
};

struct Add {
  const float *a, *b;
  float* out;
  OREPA_HD void operator()(int64_t i) const { out[i] = a[i] + b[i]; }
};

bool all_finite(const std::vector<float>& values) {
  return std::all_of(values.begin(), values.end(), [](float v) { return std::isfinite(v); });
}

// Offsets of consecutive pieces; the last entry is the total.
std::vector<int64_t> pack(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> offsets{0};
  for (const int64_t size : sizes)
    offsets.push_back((offsets.back() + size + MemoryPlan::kAlignment - 1) /
                      MemoryPlan::kAlignment * MemoryPlan::kAlignment);
  return offsets;
}

}  // namespace

void Arena::reserve(int64_t bytes) {
  if (bytes <= this->bytes()) return;
  memory_ = DeviceMemory();  // the old one first: both together might not fit
  memory_ = DeviceMemory(device_, bytes);
}

struct Net::Engine {
  struct CompiledNode {
    std::unique_ptr<Layer> layer;
    Declaration declaration;
    std::vector<Parameter*> learned;                       // for the update
    std::vector<int64_t> prepare_offsets, finish_offsets;  // of scratch, in the arena
    std::vector<int64_t> factor_offsets;  // of gradients by slot, in the arena during finish
    std::vector<int64_t> persistent_offsets;
    bool finishes = false;
    std::array<double, 5> seconds{};
    std::array<int64_t, 5> calls{};
  };

  Engine(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options)
      : parameters(parameters), arena(arena), options(std::move(options)), graph(compile(spec)) {
    set_up_layers();
    plan();
    bind_memory();
  }

  Graph compile(const NetSpec& spec) const {
    Graph graph = build_graph(spec, {options.phase, options.level, options.stages});
    for (const std::string& blob : options.keep)
      if (graph.find(blob) < 0)
        fail(spec.name(), ": there is no blob \"", blob, "\" in this phase; did you mean \"",
             nearest_name(blob, graph.blobs()), "\"?");
    fuse(graph, wants_backward(), options.keep);
    return graph;
  }

  bool wants_backward() const {
    return options.phase == Phase::kTrain || options.input_gradients || options.seed_outputs;
  }

  void set_up_layers();
  void plan();
  void bind_memory();
  void declare_automatic_tops(Node& node, size_t made);
  void run(const Step& step);
  template <class Call>
  void timed(int node, Stage stage, Call call);

  float* buffer(int id) const {
    return id < 0 ? nullptr : reinterpret_cast<float*>(arena.data() + memory.offsets[id]);
  }
  Tensor value(int v) const { return {buffer(program.value_buffer[v]), shapes[v]}; }
  int find(const std::string& blob) const {
    const int v = graph.find(blob);
    if (v < 0)
      fail("there is no blob \"", blob, "\"; did you mean \"", nearest_name(blob, graph.blobs()),
           "\"?");
    return v;
  }
  std::vector<float> read(const float* data, const Shape& shape) const {
    std::vector<float> stored(shape.count()), ordered(shape.count());
    device().copy_to_host(stored.data(), data, shape.bytes());
    from_storage(shape, stored, ordered);
    return ordered;
  }
  static void from_storage(const Shape& shape, const std::vector<float>& from,
                           std::vector<float>& to) {
    to_caffe_order(shape, from.data(), to.data());
  }
  void upload(float* data, const std::vector<float>& stored) const {
    device().copy_to_device(data, stored.data(),
                            static_cast<int64_t>(stored.size() * sizeof(float)));
  }
  Device& device() const { return parameters.device(); }
  bool folds_into_convolution(const Node& node) const {
    if (node.spec.type != "BatchNorm") return false;
    const std::string& producer = graph.nodes[graph.values[node.inputs[0]].producer].spec.type;
    return producer == "Convolution" || producer == "ORepaConv";
  }

  Parameters& parameters;
  Arena& arena;
  NetOptions options;
  Graph graph;
  std::vector<Shape> shapes;  // by value
  std::vector<CompiledNode> nodes;
  Program program;
  MemoryPlan memory;
  int64_t arena_bytes = 0;
  DeviceMemory persistent;
  std::vector<Blob> inputs, outputs;
  std::map<int, std::vector<float>> staged_inputs, staged_gradients;  // by value, in storage order
  int64_t samples = 0, batch_size = 0;
  int64_t pass_index = 0;
  bool profiling = false;
};

namespace {

// Binds the memory of one call; short-lived.
template <class Engine>
class NodePass : public Pass {
 public:
  NodePass(const Engine& engine, int node, Stage stage, const Step* step = nullptr)
      : engine_(engine), node_(node), stage_(stage), step_(step) {}

  Device& device() const override { return engine_.device(); }
  Phase phase() const override { return engine_.options.phase; }
  int64_t index() const override { return engine_.pass_index; }
  Random random() const override {
    return Random(engine_.parameters.seed(), "layer " + graph_node().spec.name,
                  static_cast<uint64_t>(engine_.pass_index));
  }

  Tensor input(int i) const override { return engine_.value(graph_node().inputs[i]); }
  Tensor output(int i) const override { return engine_.value(graph_node().outputs[i]); }
  Tensor input_gradient(int i) const override {
    return {engine_.buffer(step_->input_gradients[i]), engine_.shapes[graph_node().inputs[i]]};
  }
  Tensor output_gradient(int i) const override {
    return {engine_.buffer(step_->output_gradients[i]), engine_.shapes[graph_node().outputs[i]]};
  }

  Tensor parameter(Handle handle) const override { return slot(handle).parameter->value; }
  Tensor gradient(Handle handle) const override { return slot(handle).parameter->gradient; }
  bool accumulates(Handle handle) const override {
    return slot(handle).parameter->gradient_written;
  }
  void* memory(Handle handle) const override {
    const Slot& slot = this->slot(handle);
    const auto& compiled = engine_.nodes[node_];
    if (slot.kind == Slot::Kind::kPersistent)
      return static_cast<char*>(engine_.persistent.data()) +
             compiled.persistent_offsets[slot.index];
    if (slot.kind == Slot::Kind::kSaved)
      return engine_.buffer(engine_.program.saved[node_][slot.index]);
    switch (slot.stage) {
      case Stage::kForward:
        return engine_.buffer(engine_.program.forward_scratch[node_][slot.index]);
      case Stage::kBackward:
        return engine_.buffer(engine_.program.backward_scratch[node_][slot.index]);
      case Stage::kPrepare:
        return engine_.arena.data() + compiled.prepare_offsets[slot.index];
      case Stage::kFinish:
        return engine_.arena.data() + compiled.finish_offsets[slot.index];
      case Stage::kUpdate:
        break;
    }
    return nullptr;
  }

 private:
  const Node& graph_node() const { return engine_.graph.nodes[node_]; }
  const Slot& slot(Handle handle) const {
    return engine_.nodes[node_].declaration.slots.at(handle);
  }

  const Engine& engine_;
  int node_;
  Stage stage_;
  const Step* step_;
};

}  // namespace

// Caffe lets a loss layer name no top and makes one for it.
void Net::Engine::declare_automatic_tops(Node& node, size_t made) {
  if (!node.outputs.empty()) return;
  for (size_t o = 0; o < made; ++o) {
    const int n = static_cast<int>(&node - graph.nodes.data());
    node.outputs.push_back(static_cast<int>(graph.values.size()));
    graph.values.push_back({node.spec.name + (o == 0 ? "" : "_" + std::to_string(o)), n, {}});
    shapes.emplace_back();
  }
}

void Net::Engine::set_up_layers() {
  shapes.resize(graph.values.size());
  std::vector<bool> gradients(graph.values.size(), false);
  const SetupContext context{parameters, options, wants_backward()};
  for (Node& node : graph.nodes) {
    std::vector<Shape> input_shapes;
    std::vector<bool> input_gradients;
    for (const int v : node.inputs) {
      input_shapes.push_back(shapes[v]);
      input_gradients.push_back(gradients[v]);
    }
    CompiledNode compiled;
    compiled.layer = make_layer(node.spec);
    NodeSetup setup(node, input_shapes, input_gradients, context);
    std::vector<Shape> made;
    try {
      made = compiled.layer->setup(setup);
    } catch (const Error& error) {
      const std::string message = error.what();
      if (message.find("layer \"" + node.spec.name + "\"") != std::string::npos) throw;
      throw Error(node.spec.where() + message);
    }
    declare_automatic_tops(node, made.size());
    compiled.declaration = setup.finish(made);
    for (Parameter* parameter : compiled.declaration.parameters())
      if (parameter->learns()) compiled.learned.push_back(parameter);
    const NodeTraits& traits = compiled.declaration.traits;
    bool gradient = !traits.forward_only && traits.learns;
    for (size_t i = 0; i < node.inputs.size(); ++i)
      gradient = gradient ||
                 (!traits.forward_only && traits.differentiable[i] && gradients[node.inputs[i]]);
    gradients.resize(graph.values.size(), false);
    for (size_t o = 0; o < made.size(); ++o) {
      shapes[node.outputs[o]] = made[o];
      gradients[node.outputs[o]] =
          gradient || (options.input_gradients && node.spec.type == "Input");
    }
    if (node.spec.type == "Input")
      for (const int v : node.outputs) inputs.push_back({graph.values[v].name, shapes[v]});
    if (compiled.declaration.samples > 0) samples = compiled.declaration.samples;
    if (batch_size == 0 && node.inputs.empty() && !made.empty() && made[0].rank() > 0)
      batch_size = made[0][0];
    nodes.push_back(std::move(compiled));
  }
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (graph.values[v].consumers.empty()) outputs.push_back({graph.values[v].name, shapes[v]});
}

void Net::Engine::plan() {
  ProgramOptions wanted;
  wanted.backward = wants_backward();
  for (const std::string& blob : options.keep) wanted.keep_values.push_back(graph.find(blob));
  std::vector<NodeTraits> traits;
  for (size_t n = 0; n < nodes.size(); ++n) {
    traits.push_back(nodes[n].declaration.traits);
    const Node& node = graph.nodes[n];
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      const bool is_input = node.spec.type == "Input";
      if (traits[n].loss_weight[o] != 0) wanted.keep_values.push_back(node.outputs[o]);
      if (is_input && options.input_gradients) wanted.want_gradients.push_back(node.outputs[o]);
      if (options.seed_outputs && traits[n].loss_weight[o] == 0 && !is_input &&
          graph.values[node.outputs[o]].consumers.empty())
        wanted.seed_values.push_back(node.outputs[o]);
    }
  }
  program = make_program(graph, traits, wanted);
  memory = plan_memory(program.buffers);
  arena_bytes = memory.peak;

  int64_t persistent_bytes = 0;
  for (CompiledNode& node : nodes) {
    const Declaration& declaration = node.declaration;
    node.prepare_offsets = pack(declaration.prepare_scratch);
    arena_bytes = std::max(arena_bytes, node.prepare_offsets.back());

    // While a layer finishes, the arena holds the gradients of its factors, then its scratch.
    std::vector<int64_t> pieces;
    for (const Slot& slot : declaration.slots) {
      const bool made = slot.parameter != nullptr && slot.parameter->factor &&
                        slot.parameter->learns() && wants_backward();
      pieces.push_back(made ? slot.parameter->value.shape.bytes() : 0);
      node.finishes = node.finishes || made;
    }
    node.factor_offsets = pack(pieces);
    node.finish_offsets = pack(declaration.finish_scratch);
    for (int64_t& offset : node.finish_offsets) offset += node.factor_offsets.back();
    arena_bytes = std::max(arena_bytes, node.finish_offsets.back());

    node.persistent_offsets = pack(declaration.persistent);
    for (int64_t& offset : node.persistent_offsets) offset += persistent_bytes;
    persistent_bytes = node.persistent_offsets.back();
  }
  persistent = DeviceMemory(device(), persistent_bytes);
  device().zero(persistent.data(), persistent_bytes);
}

void Net::Engine::bind_memory() {
  parameters.allocate();
  arena.reserve(arena_bytes);
}

template <class Call>
void Net::Engine::timed(int node, Stage stage, Call call) {
  nodes[node].calls[static_cast<int>(stage)]++;
  if (!profiling) return call();
  using Clock = std::chrono::steady_clock;
  device().synchronize();
  const Clock::time_point start = Clock::now();
  call();
  device().synchronize();
  nodes[node].seconds[static_cast<int>(stage)] +=
      std::chrono::duration<double>(Clock::now() - start).count();
}

void Net::Engine::run(const Step& step) {
  const auto count = [&](int id) { return program.buffers[id].bytes / int64_t{sizeof(float)}; };
  switch (step.kind) {
    case Step::Kind::kForward: {
      NodePass pass(*this, step.node, Stage::kForward);
      timed(step.node, Stage::kForward, [&] { nodes[step.node].layer->forward(pass); });
      break;
    }
    case Step::Kind::kBackward: {
      NodePass pass(*this, step.node, Stage::kBackward, &step);
      timed(step.node, Stage::kBackward, [&] { nodes[step.node].layer->backward(pass); });
      for (Parameter* parameter : nodes[step.node].declaration.parameters())
        parameter->gradient_written = true;
      break;
    }
    case Step::Kind::kFill:
      parallel_for(device(), count(step.out), Fill{step.fill, buffer(step.out)});
      break;
    case Step::Kind::kSeed: {
      const auto given = staged_gradients.find(step.value_index);
      if (given == staged_gradients.end())
        device().zero(buffer(step.out), program.buffers[step.out].bytes);
      else
        upload(buffer(step.out), given->second);
      break;
    }
    case Step::Kind::kAccumulate:
      parallel_for(device(), count(step.out),
                   Add{buffer(step.a), buffer(step.b), buffer(step.out)});
      break;
  }
}

Net::Net(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options)
    : engine_(std::make_unique<Engine>(spec, parameters, arena, std::move(options))) {}

Net::~Net() = default;

void Net::prepare() {
  for (int n = 0; n < static_cast<int>(engine_->nodes.size()); ++n) {
    Layer& layer = *engine_->nodes[n].layer;
    if (!layer.has_prepare()) continue;
    NodePass pass(*engine_, n, Stage::kPrepare);
    engine_->timed(n, Stage::kPrepare, [&] { layer.prepare(pass); });
  }
}

void Net::forward(int64_t index) {
  engine_->pass_index = index;
  for (const auto& [v, values] : engine_->staged_inputs)
    engine_->upload(engine_->value(v).data, values);
  for (int s = 0; s < engine_->program.forward_steps; ++s) engine_->run(engine_->program.steps[s]);
}

void Net::backward() {
  require(engine_->wants_backward(),
          "backward() was called on a net built without a backward pass");
  const std::vector<Step>& steps = engine_->program.steps;
  for (size_t s = engine_->program.forward_steps; s < steps.size(); ++s) engine_->run(steps[s]);
}

void Net::finish(const Update& update) {
  for (int n = 0; n < static_cast<int>(engine_->nodes.size()); ++n) {
    Engine::CompiledNode& node = engine_->nodes[n];
    if (node.learned.empty()) continue;
    const std::vector<Slot>& slots = node.declaration.slots;
    for (size_t s = 0; s < slots.size(); ++s) {
      Parameter* parameter = slots[s].parameter;
      if (parameter == nullptr) continue;
      if (parameter->factor && parameter->learns())
        parameter->gradient = {
            reinterpret_cast<float*>(engine_->arena.data() + node.factor_offsets[s]),
            parameter->value.shape};
      else if (parameter->gradient && !parameter->gradient_written)
        engine_->device().zero(parameter->gradient.data, parameter->gradient.bytes());
    }
    if (node.finishes) {
      NodePass pass(*engine_, n, Stage::kFinish);
      engine_->timed(n, Stage::kFinish, [&] { node.layer->finish(pass); });
    }
    engine_->timed(n, Stage::kUpdate, [&] { update(node.learned); });
    for (Parameter* parameter : node.learned)
      if (parameter->factor) parameter->gradient = {};
  }
}

double Net::loss() const {
  double total = 0;
  for (size_t n = 0; n < engine_->nodes.size(); ++n) {
    const std::vector<int>& outputs = engine_->graph.nodes[n].outputs;
    for (size_t o = 0; o < outputs.size(); ++o) {
      const double weight = engine_->nodes[n].declaration.traits.loss_weight[o];
      if (weight == 0) continue;
      const Tensor top = engine_->value(outputs[o]);
      for (const float v : engine_->read(top.data, top.shape)) total += weight * v;
    }
  }
  return total;
}

std::string Net::find_non_finite() {
  forward(engine_->pass_index);  // a forward pass is a function of its index
  for (int s = 0; s < engine_->program.forward_steps; ++s) {
    engine_->run(engine_->program.steps[s]);
    const Node& node = engine_->graph.nodes[engine_->program.steps[s].node];
    for (const int v : node.outputs) {
      const Tensor output = engine_->value(v);
      if (!all_finite(engine_->read(output.data, output.shape)))
        return text("layer \"", node.spec.name, "\" (", node.spec.type, "), output \"",
                    engine_->graph.values[v].name, "\"");
    }
  }
  return "";
}

const std::vector<Net::Blob>& Net::inputs() const { return engine_->inputs; }
const std::vector<Net::Blob>& Net::outputs() const { return engine_->outputs; }

namespace {
std::vector<float> stage(const std::string& blob, const Shape& shape,
                         const std::vector<float>& values) {
  require(static_cast<int64_t>(values.size()) == shape.count(), "blob \"", blob, "\" holds ",
          shape.str(), ", but ", values.size(), " numbers were given");
  std::vector<float> stored(values.size());
  from_caffe_order(shape, values.data(), stored.data());
  return stored;
}
}  // namespace

void Net::set(const std::string& blob, const std::vector<float>& values) {
  const auto found = std::find_if(inputs().begin(), inputs().end(),
                                  [&](const Blob& input) { return input.name == blob; });
  require(found != inputs().end(), "\"", blob, "\" is no top of an Input layer");
  for (size_t v = 0; v < engine_->graph.values.size(); ++v) {
    const Value& value = engine_->graph.values[v];
    if (value.name == blob && engine_->graph.nodes[value.producer].spec.type == "Input")
      engine_->staged_inputs[static_cast<int>(v)] = stage(blob, found->shape, values);
  }
}

void Net::seed_gradient(const std::string& blob, const std::vector<float>& values) {
  const int v = engine_->find(blob);
  engine_->staged_gradients[v] = stage(blob, engine_->shapes[v], values);
}

std::vector<float> Net::read(const std::string& blob) const {
  const Tensor tensor = engine_->value(engine_->find(blob));
  return engine_->read(tensor.data, tensor.shape);
}

Shape Net::shape(const std::string& blob) const { return engine_->shapes[engine_->find(blob)]; }

std::vector<float> Net::read_gradient(const std::string& blob) const {
  // An in-place layer makes a newer value of the input's name; the gradient wanted is the input's
  // own.
  int v = -1;
  for (size_t i = 0; i < engine_->graph.values.size() && v < 0; ++i)
    if (engine_->graph.values[i].name == blob) v = static_cast<int>(i);
  require(v >= 0, "there is no blob \"", blob, "\"");
  const int buffer = engine_->program.value_gradient[v];
  if (buffer < 0) return std::vector<float>(engine_->shapes[v].count(), 0.0f);
  return engine_->read(engine_->buffer(buffer), engine_->shapes[v]);
}

double Net::loss_weight(const std::string& blob) const {
  const int v = engine_->find(blob);
  const int n = engine_->graph.values[v].producer;
  const std::vector<int>& outputs = engine_->graph.nodes[n].outputs;
  const auto position = std::find(outputs.begin(), outputs.end(), v) - outputs.begin();
  return engine_->nodes[n].declaration.traits.loss_weight[position];
}

int64_t Net::samples() const { return engine_->samples; }
int64_t Net::batch_size() const { return engine_->batch_size; }
int64_t Net::arena_bytes() const { return engine_->arena_bytes; }
int64_t Net::persistent_bytes() const { return engine_->persistent.bytes(); }

void Net::profile(bool on) {
  engine_->profiling = on;
  for (Engine::CompiledNode& node : engine_->nodes) {
    node.seconds.fill(0);
    node.calls.fill(0);
  }
}

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
      row.activation_bytes += engine_->shapes[v].bytes();
    }
    for (const int64_t bytes : compiled.declaration.traits.saved) row.activation_bytes += bytes;
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
