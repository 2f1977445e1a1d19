#include "orepa/net.h"

#include <algorithm>
#include <chrono>

#include "engine/engine.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

struct Weighted {
  double weight;
  const float* values;
  OREPA_HD double operator()(int64_t, int64_t i) const { return weight * values[i]; }
};

}  // namespace

void Arena::reserve(int64_t bytes) {
  if (bytes <= this->bytes()) return;
  holder_ = nullptr;
  memory_ = DeviceMemory();  // the old one first: both together might not fit
  memory_ = DeviceMemory(device_, bytes);
}

Net::Net(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options)
    : engine_(std::make_unique<Engine>(spec, parameters, arena, std::move(options))) {}

Net::~Net() = default;

void Net::prepare() {
  require(engine_->options.allocate, "prepare() was called on a net built without memory");
  const bool current = engine_->prepared_version == engine_->parameters.version();
  if (current && !engine_->device().is_recording()) return;
  engine_->prepared_version = engine_->parameters.version();
  engine_->hold(Engine::Held::kNothing);
  engine_->run(0, engine_->program.forward);
}

void Net::load(int64_t index) {
  require(engine_->options.allocate, "a pass of a net that was built without memory");
  engine_->require_prepared();
  engine_->pass_index = index;
  engine_->hold(Engine::Held::kSources);
  if (engine_->states_before) engine_->states_before->save();
  engine_->send_inputs();
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start = Clock::now();
  engine_->run(engine_->program.forward, engine_->program.compute);
  engine_->source_seconds += std::chrono::duration<double>(Clock::now() - start).count();
}

void Net::compute() {
  require(engine_->held() == Engine::Held::kSources,
          "compute() has to follow load() of the same net, with no other use of its arena between ",
          "them");
  engine_->require_prepared();
  engine_->hold(Engine::Held::kNothing);
  engine_->run(engine_->program.compute, engine_->program.backward);
  engine_->hold(Engine::Held::kBlobs);
}

void Net::forward(int64_t index) {
  load(index);
  compute();
}

void Net::backward(const Written& written) {
  require(engine_->wants_backward(),
          "backward() was called on a net built without a backward pass");
  require(engine_->held() == Engine::Held::kBlobs,
          "backward() has to follow forward() of the same net, with no other use of its arena ",
          "between them");
  engine_->require_prepared();
  engine_->hold(Engine::Held::kNothing);
  engine_->run(engine_->program.backward, engine_->program.finish, {&written, nullptr});
  engine_->hold(Engine::Held::kBlobsAndGradients);
}

void Net::finish(const Update& update) {
  engine_->hold(Engine::Held::kNothing);
  engine_->run(engine_->program.finish, static_cast<int>(engine_->program.steps.size()),
               {nullptr, &update});
  engine_->parameters.touch();
}

double Net::loss() const {
  engine_->require_held("the loss");
  double total = 0;
  for (const Engine::LossTerm& term : engine_->losses)
    for (const float v : engine_->read(engine_->value(term.value))) total += term.weight * v;
  return total;
}

void Net::add_loss(double* total) const {
  engine_->require_held("the loss");
  for (const Engine::LossTerm& term : engine_->losses) {
    const Tensor value = engine_->value(term.value);
    reduce_rows(engine_->device(), 1, value.count(), Weighted{term.weight, value.floats()}, total,
                true);
  }
}

const std::vector<Net::Blob>& Net::inputs() const { return engine_->inputs; }
const std::vector<Net::Blob>& Net::outputs() const { return engine_->outputs; }

bool Net::writes_files() const {
  return std::any_of(engine_->nodes.begin(), engine_->nodes.end(),
                     [](const auto& node) { return node.layer->writes_files(); });
}

void Net::finish_files() {
  for (const Engine::CompiledNode& node : engine_->nodes) node.layer->finish_files();
}

void Net::drop_files() {
  for (const Engine::CompiledNode& node : engine_->nodes) node.layer->drop_files();
}

void Net::Engine::stage(std::map<int, Upload>& uploads, int v, const std::vector<float>& values) {
  const Shape& shape = shapes[v];
  require(static_cast<int64_t>(values.size()) == shape.count(), "blob \"", graph.values[v].name,
          "\" holds ", shape.str(), ", but ", values.size(), " numbers were given");
  Upload& upload = uploads.try_emplace(v, device(), shape.bytes()).first->second;
  from_caffe_order(shape, values.data(), upload.fill_floats());
}

void Net::set(const std::string& blob, const std::vector<float>& values) {
  bool known = false;
  for (size_t v = 0; v < engine_->graph.values.size(); ++v) {
    const Value& value = engine_->graph.values[v];
    if (value.name != blob) continue;
    const Node& node = engine_->graph.nodes[value.producer];
    if (node.spec.type == "Input") {
      engine_->stage(engine_->staged_inputs, static_cast<int>(v), values);
      known = true;
    } else {
      const auto top = std::find(node.outputs.begin(), node.outputs.end(), static_cast<int>(v));
      Layer& source = *engine_->nodes[value.producer].layer;
      known |= source.set_samples(static_cast<int>(top - node.outputs.begin()), values);
    }
  }
  require(known, "\"", blob, "\" is no top of an Input or MemoryData layer");
}

void Net::seed_gradient(const std::string& blob, const std::vector<float>& values) {
  engine_->stage(engine_->staged_gradients, engine_->find(blob), values);
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
  engine_->find(blob);
  const auto v = static_cast<size_t>(engine_->graph.first(blob));
  const std::vector<bool>& asked = engine_->asked_gradients;
  require(v < asked.size() && asked[v], "the gradient of blob \"", blob, "\" is not kept: with ",
          "NetOptions::input_gradients, or force_backward: true in the net, those of sources and ",
          "of NetOptions::keep are, and with propagate_down: true that of a layer's bottom");
  engine_->require_held("the gradient of blob \"" + blob + "\"");
  require(engine_->held() == Engine::Held::kBlobsAndGradients, "the gradient of blob \"", blob,
          "\" cannot be read before backward()");
  const int buffer = engine_->program.value_gradient[v];
  if (buffer < 0) return std::vector<float>(engine_->shapes[v].count(), 0.0f);
  return engine_->read(engine_->tensor(buffer, engine_->shapes[v]));
}

double Net::loss_weight(const std::string& blob) const {
  const int v = engine_->find(blob);
  const int n = engine_->graph.values[v].producer;
  const std::vector<int>& outputs = engine_->graph.nodes[n].outputs;
  const auto position = std::find(outputs.begin(), outputs.end(), v) - outputs.begin();
  return engine_->nodes[n].declaration.traits.loss_weight[position];
}

DType Net::precision() const { return engine_->precision; }

std::string Net::precision_note() const {
  const Device& device = engine_->device();
  if (precision() == DType::kFloat32 || device.bfloat16() == Device::Support::kFull) return "";
  return text("precision BF16 is slower than FLOAT32 on this processor (", device.description(),
              "), which has no instructions for it");
}

std::vector<std::string> Net::take_notes() {
  std::vector<std::string> notes;
  for (const Engine::CompiledNode& node : engine_->nodes)
    for (std::string& note : node.layer->take_notes()) notes.push_back(std::move(note));
  return notes;
}

const std::vector<Net::State>& Net::states() const { return engine_->states; }

int64_t Net::samples() const { return engine_->samples; }
double Net::source_seconds() const { return engine_->source_seconds; }
int64_t Net::image_size() const { return engine_->image_size; }
int64_t Net::batch_size() const { return engine_->batch_size; }
BatchRows Net::rows() const { return engine_->rows; }
const void* Net::arena_memory() const { return engine_->arena.data(); }
int64_t Net::arena_bytes() const { return engine_->arena_bytes; }
int64_t Net::persistent_bytes() const {
  const auto& before = engine_->states_before;
  return engine_->persistent_bytes + (before ? before->bytes() : 0);
}

}  // namespace orepa
