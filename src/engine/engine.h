// The inside of a Net: its layers, their program and where its buffers lie.
#pragma once
#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/error_list.h"
#include "core/tensor_copy.h"
#include "core/upload.h"
#include "engine/graph.h"
#include "engine/program.h"
#include "engine/setup.h"
#include "orepa/net.h"

namespace orepa {

struct Net::Engine {
  struct CompiledNode {
    std::unique_ptr<Layer> layer;
    Declaration declaration;
    std::vector<Parameter*> learned;   // for the update
    std::vector<Parameter*> complete;  // gradients that no later backward step adds to
    std::vector<int64_t> persistent_offsets;
    std::array<double, 5> seconds{};
    std::array<int64_t, 5> calls{};
  };

  Engine(const NetSpec& spec, Parameters& parameters, Arena& arena, NetOptions options);

  bool wants_backward() const {
    return options.phase == Phase::kTrain || options.input_gradients || options.seed_outputs;
  }

  // Building: src/engine/build.cpp.
  Graph compile(const NetSpec& spec);
  DType precision_of(const NetSpec& spec) const;
  std::map<std::string, SharedMultipliers> shared_multipliers();
  void refuse_other_parameters(size_t known) const;
  std::vector<bool> gradients_asked_for() const;
  void set_up_layers();
  void set_up(Node& node, CompiledNode& compiled, const SetupContext& context);
  void plan();
  void declare_automatic_tops(Node& node, size_t made);

  // Running: src/engine/run.cpp.
  // Steps [begin, end) of the program, with what is called by those of kBackward and kUpdate.
  struct Calls {
    const Written* written;
    const Update* update;
  };
  void run(int begin, int end, const Calls& calls = {});
  void run(const Step& step, const Calls& calls);
  void prepare(int node);
  void finish(int node);
  void update(const std::vector<int>& nodes, const Update& update);
  void zero_unwritten_gradients(int node);
  template <class Call>
  void timed(int node, Stage stage, Call call);
  // call(node) for nodes that need nothing of each other.
  template <class Call>
  void each(const std::vector<int>& nodes, Stage stage, Call call);

  // What of this net can be read from the arena, as long as no other net uses it.
  enum class Held { kNothing, kSources, kBlobs, kBlobsAndGradients };
  void hold(Held what) {
    arena.holder_ = this;
    held_last = what;
  }
  Held held() const { return arena.holder_ == this ? held_last : Held::kNothing; }
  // src/engine/watch.cpp.
  void tell_forward(int node) const;
  void tell_backward(const Step& step) const;
  std::string layers_of(int node) const;

  void require_held(const std::string& what) const;
  void require_prepared() const;

  std::string bad_row(int node) const;
  std::string non_finite_output(int node) const;

  // Null where the net was built without memory, too.
  void* buffer(int id) const {
    return id < 0 || arena.data() == nullptr ? nullptr : arena.data() + memory.offsets[id];
  }
  Tensor tensor(int id, const Shape& shape) const {
    return {buffer(id), shape, id < 0 ? DType::kFloat32 : program.types[id]};
  }
  // All of a buffer.
  Tensor numbers(int id) const {
    return tensor(id, {program.buffers[id].bytes / size_of(program.types[id])});
  }
  std::vector<float> read(const Tensor& tensor) const { return read_tensor(device(), tensor); }
  // A piece of memory that stays.
  char* persistent_memory(const CompiledNode& node, int index) const {
    return static_cast<char*>(persistent.data()) + node.persistent_offsets[index];
  }
  Tensor value(int v) const { return tensor(program.value_buffer[v], shapes[v]); }
  int find(const std::string& blob) const {
    const int v = graph.find(blob);
    if (v < 0) fail("there is no blob \"", blob, "\"", did_you_mean(blob, graph.blobs()));
    return v;
  }
  // Keeps values of value v, in Caffe's order, for every pass from now on.
  void stage(std::map<int, Upload>& uploads, int v, const std::vector<float>& values);
  // What the host gives to a pass, but for what sources read.
  void send_inputs() {
    for (auto& [v, upload] : staged_inputs) upload.send(value(v).data);
    if (!step_upload) return;
    *static_cast<uint64_t*>(step_upload->fill()) = static_cast<uint64_t>(pass_index);
    step_upload->send(step.data());
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
  DType precision;
  bool force_backward;  // what the net's field says
  ErrorList errors;     // found while it is built; a net that is has none
  Graph graph;
  std::vector<bool> asked_gradients;  // by value: whether somebody wants to read it
  std::vector<Shape> shapes;          // by value
  std::vector<bool> gradients;        // by value, while layers are set up: whether it may have one
  std::map<int, LabelRange> labels;   // by value, of those that are known
  std::vector<CompiledNode> nodes;
  Program program;
  MemoryPlan memory;
  int64_t arena_bytes = 0, persistent_bytes = 0;
  DeviceMemory persistent;
  std::vector<State> states;
  std::optional<TensorCopy> states_before;  // the last pass, where there are any
  std::vector<Blob> inputs, outputs;
  struct LossTerm {
    int value;
    double weight;
  };
  std::vector<LossTerm> losses;
  std::map<int, Upload> staged_inputs, staged_gradients;  // by value
  int64_t samples = 0, batch_size = 0, image_size = 0;
  BatchRows rows;
  double source_seconds = 0;
  int64_t pass_index = 0;
  DeviceMemory step;  // pass_index, where a layer draws random numbers
  std::unique_ptr<Upload> step_upload;
  int64_t prepared_version = -1;  // of the parameters, at the last prepare()
  std::vector<bool> kept;         // by value: whether its memory is its own until the program ends
  Held held_last = Held::kNothing;
  bool profiling = false;
  Watch watch;
};

}  // namespace orepa
