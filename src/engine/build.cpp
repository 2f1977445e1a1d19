#include <algorithm>
#include <optional>
#include <set>

#include "engine/engine.h"
#include "engine/fuse.h"

namespace orepa {
namespace {

// Offsets of consecutive pieces; the last entry is the total.
std::vector<int64_t> pack(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> offsets{0};
  for (const int64_t size : sizes) offsets.push_back(aligned(offsets.back() + size));
  return offsets;
}

}  // namespace

Net::Engine::Engine(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options)
    : parameters(parameters),
      arena(arena),
      options(std::move(options)),
      precision(precision_of(spec)),
      force_backward(wants_backward() && spec.options().flag("force_backward")),
      graph(compile(spec)),
      asked_gradients(gradients_asked_for()) {
  set_up_layers();
  plan();
  if (!this->options.allocate) return;
  parameters.allocate();
  arena.reserve(arena_bytes);
  persistent = DeviceMemory(device(), persistent_bytes);
  device().zero(persistent.data(), persistent_bytes);
  for (const CompiledNode& node : nodes)
    if (node.declaration.draws_random && !step_upload) {
      step = DeviceMemory(device(), sizeof(uint64_t));
      step_upload = std::make_unique<Upload>(device(), step.bytes());
    }
  std::vector<Tensor> handed_on;
  for (size_t n = 0; n < nodes.size(); ++n) {
    const Declaration& declaration = nodes[n].declaration;
    const auto tensor = [&](const auto& declared) {
      char* memory = persistent_memory(nodes[n], declared.index);
      return Tensor{reinterpret_cast<float*>(memory), declared.shape};
    };
    for (const Declaration::Constant& constant : declaration.constants)
      write_tensor(device(), tensor(constant), constant.values());
    for (const Declaration::State& state : declaration.states) {
      handed_on.push_back(tensor(state));
      states.push_back({graph.nodes[n].spec.name + "/" + state.name, handed_on.back()});
    }
  }
  if (!handed_on.empty()) states_before.emplace(device(), std::move(handed_on));
}

DType Net::Engine::precision_of(const NetSpec& spec) const {
  const Options file = spec.options();
  const bool narrow = options.precision ? *options.precision == DType::kBFloat16
                                        : file.choice("precision") == "BF16";
  require(!narrow || device().bfloat16() != Device::Support::kNone, file.where("precision"),
          ": precision BF16 needs a processor with AVX512_BF16, or with AVX-512 at least; this is ",
          device().description(), "; use FLOAT32");
  return narrow ? DType::kBFloat16 : DType::kFloat32;
}

Graph Net::Engine::compile(const NetSpec& spec) {
  Graph graph = build_graph(spec, {options.phase, options.level, options.stages}, errors);
  std::set<const google::protobuf::Message*> half_known;
  for (const UnknownField& field : spec.unknown_fields()) {
    errors.add(field.str());
    if (field.layer >= 0) half_known.insert(spec.layers()[field.layer].proto());
  }
  for (Node& node : graph.nodes)
    if (half_known.contains(node.spec.options.proto())) node.faulty = true;
  for (const std::string& blob : options.keep)
    if (graph.find(blob) < 0)
      fail(spec.name(), ": there is no blob \"", blob, "\" in this phase",
           did_you_mean(blob, graph.blobs()));
  // Only a sound graph has all the values that fusion looks at.
  if (errors.empty()) fuse(graph, wants_backward(), options.keep);
  return graph;
}

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

// As in Caffe, a layer that does not say a multiplier has that of another one that shares its
// parameter.
std::map<std::string, SharedMultipliers> Net::Engine::shared_multipliers() {
  std::map<std::string, SharedMultipliers> all;
  const auto take = [&](const LayerSpec& layer, const Options& param, const char* field,
                        std::optional<float>& known) {
    if (!param.has(field)) return;
    const auto value = static_cast<float>(param.number(field));
    errors.require(!known || *known == value, layer.where("param"), "parameter \"",
                   param.string("name"), "\" has ", field, " ", value, " here, but ", *known,
                   " in another layer that shares it; ",
                   "give it once, or the same in all of them");
    known = value;
  };
  const auto look = [&](const LayerSpec& layer) {
    for (const Options& param : layer.options.messages("param")) {
      if (!param.has("name")) continue;
      SharedMultipliers& of = all[param.string("name")];
      take(layer, param, "lr_mult", of.lr_mult);
      take(layer, param, "decay_mult", of.decay_mult);
    }
  };
  for (const Node& node : graph.nodes) {
    look(node.spec);
    for (const LayerSpec& layer : node.absorbed) look(layer);
  }
  return all;
}

// A layer that another net of the run has too shares its parameters, so both need the same ones: a
// bias, say, that only one of them has would be left out, or never trained. `known` of them were
// there before this net.
void Net::Engine::refuse_other_parameters(size_t known) const {
  std::map<std::string, std::set<std::string>> own;  // names, by layer
  for (const CompiledNode& node : nodes)
    for (const auto& [layer, name] : node.declaration.names) own[layer].insert(name);
  std::set<std::string> shared;  // layers
  for (size_t p = 0; p < parameters.places().size(); ++p) {
    const Parameters::Place& place = parameters.places()[p];
    const auto layer = own.find(place.layer);
    if (layer == own.end()) continue;
    const bool here = layer->second.contains(place.name);
    if (p < known) shared.insert(place.layer);
    require(here && (p < known || !shared.contains(place.layer)), "layer \"", place.layer,
            "\" has ", here ? "a" : "no", " parameter \"", place.name, "\" here, but ",
            here ? "none" : "one",
            " in another net of this run; a layer of one name needs the same "
            "parameters in all of them");
  }
}

// Where nothing learns above a value, its gradient is computed only because somebody wants it: the
// options, or the file by force_backward and propagate_down.
std::vector<bool> Net::Engine::gradients_asked_for() const {
  std::vector<bool> asked(graph.values.size(), false);
  if (!wants_backward()) return asked;
  for (const Node& node : graph.nodes) {
    const bool input = options.input_gradients && node.spec.type == "Input";
    if (node.inputs.empty() && (input || force_backward))
      for (const int v : node.outputs) asked[v] = true;
    const std::vector<double> propagates = node.spec.options.numbers("propagate_down");
    for (size_t i = 0; i < std::min(propagates.size(), node.inputs.size()); ++i)
      if (propagates[i] != 0) asked[node.inputs[i]] = true;
  }
  if (options.input_gradients || force_backward)
    for (const std::string& blob : options.keep) asked[graph.first(blob)] = true;
  return asked;
}

// Goes on behind a layer that cannot be set up with those that do not depend on it.
void Net::Engine::set_up_layers() {
  const size_t known_parameters = parameters.places().size();
  shapes.resize(graph.values.size());
  gradients = asked_gradients;
  const SetupContext context{parameters,           options,       precision,
                             wants_backward(),     &labels,       &rows,
                             shared_multipliers(), force_backward};
  std::set<int> unmade;  // values
  for (Node& node : graph.nodes) {
    const bool ready =
        !node.faulty && std::none_of(node.inputs.begin(), node.inputs.end(),
                                     [&](const int v) { return unmade.contains(v); });
    CompiledNode& compiled = nodes.emplace_back();
    const bool sound = errors.attempt([&] {
      compiled.layer = make_layer(node.spec);
      if (ready) set_up(node, compiled, context);
    });
    if (!ready || !sound) unmade.insert(node.outputs.begin(), node.outputs.end());
  }
  errors.raise();
  refuse_other_parameters(known_parameters);
  require(options.image_size == 0 || image_size > 0, "no layer of this phase has images of ",
          options.image_size, " pixels: those of Data and ImageData are of any size");
  for (const auto& [name, shape] : options.inputs)
    require(std::any_of(inputs.begin(), inputs.end(),
                        [&, &name = name](const Blob& input) { return input.name == name; }),
            "NetOptions::inputs gives blob \"", name, "\" the shape ", shape.str(),
            ", but it is no top of an Input layer in this phase");
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (graph.values[v].consumers.empty()) outputs.push_back({graph.values[v].name, shapes[v]});
}

void Net::Engine::set_up(Node& node, CompiledNode& compiled, const SetupContext& context) {
  std::vector<Shape> input_shapes;
  std::vector<bool> input_gradients;
  for (const int v : node.inputs) {
    input_shapes.push_back(shapes[v]);
    input_gradients.push_back(gradients[v]);
  }
  std::vector<Shape> made;
  NodeSetup setup(node, input_shapes, input_gradients, context);
  try {
    made = compiled.layer->setup(setup);
  } catch (const Error& error) {
    const std::string message = error.what();
    if (message.find("layer \"" + node.spec.name + "\"") != std::string::npos) throw;
    throw Error(node.spec.where() + message);
  }
  if (setup.makes_loss()) declare_automatic_tops(node, made.size());
  compiled.declaration = setup.finish(made);
  for (size_t o = 0; o < made.size(); ++o)
    for (size_t i = 0; i < node.inputs.size(); ++i)
      require(graph.values[node.outputs[o]].name != graph.values[node.inputs[i]].name ||
                  made[o] == input_shapes[i],
              node.spec.where("top"), "top \"", graph.values[node.outputs[o]].name,
              "\" is written over the bottom of that name, which is ", input_shapes[i].str(),
              ", not ", made[o].str(), "; give it a name of its own");
  for (Parameter* parameter : compiled.declaration.first_parameters())
    if (parameter->learns()) compiled.learned.push_back(parameter);
  NodeTraits& traits = compiled.declaration.traits;
  traits.prepares = compiled.layer->has_prepare();
  traits.updates = wants_backward() && !compiled.learned.empty();
  traits.finishes = traits.updates && compiled.layer->has_finish();
  bool gradient = !traits.forward_only && traits.learns;
  for (size_t i = 0; i < node.inputs.size(); ++i)
    gradient =
        gradient || (!traits.forward_only && traits.differentiable[i] && gradients[node.inputs[i]]);
  gradients.resize(graph.values.size(), false);
  for (size_t o = 0; o < made.size(); ++o) {
    shapes[node.outputs[o]] = made[o];
    gradients[node.outputs[o]] = gradients[node.outputs[o]] || gradient;
  }
  if (node.spec.type == "Input")
    for (const int v : node.outputs) inputs.push_back({graph.values[v].name, shapes[v]});
  for (const auto& [output, range] : compiled.declaration.labels)
    labels[node.outputs[output]] = range;
  if (compiled.declaration.takes_image_size) image_size = std::min(made[0][2], made[0][3]);
  if (compiled.declaration.samples > 0) samples = compiled.declaration.samples;
  const bool has_samples = node.inputs.empty() && node.spec.type != "Parameter";
  if (batch_size == 0 && has_samples && !made.empty() && made[0].rank() > 0)
    batch_size = made[0][0];
}

void Net::Engine::plan() {
  ProgramOptions wanted;
  wanted.backward = wants_backward();
  for (const std::string& blob : options.keep) wanted.keep_values.push_back(graph.find(blob));
  for (size_t v = 0; v < asked_gradients.size(); ++v)
    if (asked_gradients[v]) wanted.want_gradients.push_back(static_cast<int>(v));
  std::vector<NodeTraits> traits;
  for (size_t n = 0; n < nodes.size(); ++n) {
    traits.push_back(nodes[n].declaration.traits);
    const Node& node = graph.nodes[n];
    for (size_t o = 0; o < node.outputs.size(); ++o) {
      const bool is_input = node.spec.type == "Input";
      if (traits[n].loss_weight[o] != 0) {
        wanted.keep_values.push_back(node.outputs[o]);
        losses.push_back({node.outputs[o], traits[n].loss_weight[o]});
      }
      if (options.seed_outputs && traits[n].loss_weight[o] == 0 && !is_input &&
          graph.values[node.outputs[o]].consumers.empty())
        wanted.seed_values.push_back(node.outputs[o]);
    }
  }
  kept.assign(graph.values.size(), false);
  for (const int v : wanted.keep_values) kept[v] = true;
  for (size_t v = 0; v < graph.values.size(); ++v)
    if (graph.values[v].consumers.empty()) kept[v] = true;
  const auto make = [&] {
    program = make_program(graph, traits, wanted);
    if (!options.share_memory)
      for (MemoryRequest& request : program.buffers)
        request = {request.bytes, 0, static_cast<int>(program.steps.size()), {}};
    memory = plan_memory(program.buffers);
    arena_bytes = memory.peak;
  };
  make();
  if (device().is_cuda()) {
    // Before and after the passes their memory is free: as many layers as it has room for are
    // prepared, finished and updated together, in few launches.
    wanted.step_bytes = arena_bytes;
    make();
  }

  std::set<const Parameter*> complete;
  for (auto step = program.steps.rbegin(); step != program.steps.rend(); ++step) {
    if (step->kind != Step::Kind::kBackward) continue;
    CompiledNode& node = nodes[step->node];
    for (Parameter* parameter : node.declaration.parameters())
      if (complete.insert(parameter).second) node.complete.push_back(parameter);
  }

  for (CompiledNode& node : nodes) {
    node.persistent_offsets = pack(node.declaration.persistent);
    for (int64_t& offset : node.persistent_offsets) offset += persistent_bytes;
    persistent_bytes = node.persistent_offsets.back();
  }
}

}  // namespace orepa
