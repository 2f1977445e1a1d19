#include "orepa/net.h"

#include <algorithm>
#include <chrono>
#include <cmath>

#include "engine/net_engine.h"
#include "engine/node_pass.h"
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

}  // namespace

void Arena::reserve(int64_t bytes) {
  if (bytes <= this->bytes()) return;
  holder_ = nullptr;
  memory_ = DeviceMemory();  // the old one first: both together might not fit
  memory_ = DeviceMemory(device_, bytes);
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

void Net::Engine::run(int begin, int end, const Update* update) {
  for (int s = begin; s < end; ++s) run(program.steps[s], update);
}

void Net::Engine::run(const Step& step, const Update* update) {
  const auto count = [&](int id) { return program.buffers[id].bytes / int64_t{sizeof(float)}; };
  switch (step.kind) {
    case Step::Kind::kPrepare: {
      NodePass pass(*this, step.node);
      timed(step.node, Stage::kPrepare, [&] { nodes[step.node].layer->prepare(pass); });
      break;
    }
    case Step::Kind::kForward: {
      NodePass pass(*this, step.node);
      timed(step.node, Stage::kForward, [&] { nodes[step.node].layer->forward(pass); });
      break;
    }
    case Step::Kind::kBackward: {
      NodePass pass(*this, step.node, &step);
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
    case Step::Kind::kRead:
      break;
    case Step::Kind::kFinish:
      finish(step.node);
      break;
    case Step::Kind::kUpdate:
      this->update(step.node, *update);
      break;
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
  timed(node, Stage::kFinish, [&] { nodes[node].layer->finish(pass); });
}

void Net::Engine::update(int node, const Update& update) {
  if (!nodes[node].declaration.traits.finishes) zero_unwritten_gradients(node);
  timed(node, Stage::kUpdate, [&] { update(nodes[node].learned); });
  for (Parameter* parameter : nodes[node].learned)
    if (parameter->factor) parameter->gradient = {};
}

Net::Net(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options)
    : engine_(std::make_unique<Engine>(spec, parameters, arena, std::move(options))) {}

Net::~Net() = default;

// Without it, W and packed kernels would be those of an older step.
void Net::Engine::require_prepared() const {
  const bool needed = std::any_of(nodes.begin(), nodes.end(), [](const CompiledNode& node) {
    return node.layer->has_prepare();
  });
  require(!needed || prepared_version == parameters.version(),
          "forward() and backward() need a prepare() after every change of parameters");
}

void Net::prepare() {
  require(engine_->options.allocate, "prepare() was called on a net built without memory");
  engine_->prepared_version = engine_->parameters.version();
  engine_->hold(Engine::Held::kNothing);
  engine_->run(0, engine_->program.forward);
}

void Net::forward(int64_t index) {
  require(engine_->options.allocate, "forward() was called on a net built without memory");
  engine_->require_prepared();
  engine_->pass_index = index;
  engine_->hold(Engine::Held::kNothing);
  engine_->upload_inputs();
  engine_->run(engine_->program.forward, engine_->program.backward);
  engine_->hold(Engine::Held::kBlobs);
}

void Net::backward() {
  require(engine_->wants_backward(),
          "backward() was called on a net built without a backward pass");
  require(engine_->held() == Engine::Held::kBlobs,
          "backward() has to follow forward() of the same net, with no other use of its arena ",
          "between them");
  engine_->require_prepared();
  engine_->hold(Engine::Held::kNothing);
  engine_->run(engine_->program.backward, engine_->program.finish);
  engine_->hold(Engine::Held::kBlobsAndGradients);
}

void Net::finish(const Update& update) {
  engine_->hold(Engine::Held::kNothing);
  engine_->run(engine_->program.finish, static_cast<int>(engine_->program.steps.size()), &update);
  engine_->parameters.touch();
}

void Net::Engine::require_held(const std::string& what) const {
  require(held() != Held::kNothing, what,
          " cannot be read: no pass has been run, or its memory has been used ",
          "for something else since; read right after forward() or backward()");
}

double Net::loss() const {
  engine_->require_held("the loss");
  double total = 0;
  for (size_t n = 0; n < engine_->nodes.size(); ++n) {
    const std::vector<int>& outputs = engine_->graph.nodes[n].outputs;
    for (size_t o = 0; o < outputs.size(); ++o) {
      const double weight = engine_->nodes[n].declaration.traits.loss_weight[o];
      if (weight == 0) continue;
      for (const float v : engine_->read(engine_->value(outputs[o]))) total += weight * v;
    }
  }
  return total;
}

std::string Net::find_non_finite() {
  engine_->hold(Engine::Held::kNothing);
  engine_->upload_inputs();
  for (int s = engine_->program.forward; s < engine_->program.backward; ++s) {
    engine_->run(s, s + 1);
    const int n = engine_->program.steps[s].node;
    const Node& node = engine_->graph.nodes[n];
    for (const int v : node.outputs)
      if (!all_finite(engine_->read(engine_->value(v))))
        return text("layer \"", node.spec.name, "\" (", node.spec.type, "), output \"",
                    engine_->graph.values[v].name, "\"", engine_->bad_row(n));
  }
  engine_->hold(Engine::Held::kBlobs);
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
  const int v = engine_->find(blob);
  require(engine_->kept[v], "blob \"", blob, "\" is not kept after a pass; name it among those to ",
          "keep (NetOptions::keep, orepa_tool run --blobs)");
  engine_->require_held("blob \"" + blob + "\"");
  return engine_->read(engine_->value(v));
}

Shape Net::shape(const std::string& blob) const { return engine_->shapes[engine_->find(blob)]; }

std::vector<float> Net::read_gradient(const std::string& blob) const {
  // An in-place layer makes a newer value of the input's name; the gradient wanted is the input's
  // own.
  int v = -1;
  for (size_t i = 0; i < engine_->graph.values.size() && v < 0; ++i)
    if (engine_->graph.values[i].name == blob) v = static_cast<int>(i);
  require(v >= 0, "there is no blob \"", blob, "\"");
  const bool input = engine_->graph.nodes[engine_->graph.values[v].producer].spec.type == "Input";
  require(input && engine_->options.input_gradients, "the gradient of blob \"", blob,
          "\" is not kept: only those of Input blobs are, with NetOptions::input_gradients");
  engine_->require_held("the gradient of blob \"" + blob + "\"");
  require(engine_->held() == Engine::Held::kBlobsAndGradients, "the gradient of blob \"", blob,
          "\" cannot be read before backward()");
  const int buffer = engine_->program.value_gradient[v];
  if (buffer < 0) return std::vector<float>(engine_->shapes[v].count(), 0.0f);
  return engine_->read({engine_->buffer(buffer), engine_->shapes[v]});
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
int64_t Net::persistent_bytes() const { return engine_->persistent_bytes; }

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
