// LayerBench: one layer alone on the bench, without a net. It plays the engine's part for a layer
// (see NodeSetup, and NodePass in src/engine/pass.h), as unkindly as the contracts allow:
//
//   - sentinels stand around every buffer;
//   - what a call may not read holds NaN: outputs, saved memory and scratch before they are
//     written, and before backward() every input and output that setup() did not ask for;
//   - what a call may not write is compared afterwards.
//
// Failures are reported through GoogleTest. Numbers are in storage order (tensor.h); those of
// bottoms, tops and their gradients are rounded to the type that the layer takes.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "engine/setup.h"
#include "orepa/model_io.h"

namespace orepa {

using Values = std::vector<float>;

// What one bench is built for.
struct BenchOptions {
  Phase phase = Phase::kTrain;
  DType precision = DType::kFloat32;
  bool weights_change_every_pass = true;
  std::vector<bool> want_inputs;  // whose gradients are wanted
  bool want_parameters = true;
  // Memory that two tensors share, as the engine may decide: output 0 over an input, the gradient
  // of an input over that of output 0. -1: none.
  int overwritten_input = -1, overwriting_gradient = -1;
  // What backward() finds full of NaN although it asked for it. -1: nothing.
  int spoiled_input = -1, spoiled_output = -1;
};

class LayerBench {
 public:
  static constexpr uint64_t kSeed = 7;  // of the run
  static constexpr int64_t kPassIndex = 3;

  // `text`: a layer, then those that it absorbs, as in a prototxt; bottoms need not be named.
  LayerBench(Device& device, const std::string& text, const std::vector<Shape>& inputs,
             const BenchOptions& options);
  ~LayerBench();

  const NodeTraits& traits() const { return declaration_.traits; }
  const std::vector<Shape>& outputs() const { return output_shapes_; }
  // Parameters, buffers and factors in their order in files; derived weights are not among them.
  const std::vector<Parameter*>& parameters() const { return stored_; }

  // What the next passes compute with. Buffers return to these values before every forward(), and
  // what a layer keeps in persistent memory to that of a new net.
  void set_input(int i, const Values& values) { inputs_[i] = values; }
  void set_parameter(int i, const Values& values) { parameter_values_[i] = values; }
  const Values& parameter(int i) const { return parameter_values_[i]; }

  // prepare() and forward(); returns the outputs.
  std::vector<Values> forward();
  // Values of parameters()[i] as they are now: running statistics after a pass.
  Values read_parameter(int i) const;

  struct Gradients {
    std::vector<Values> inputs, parameters;  // empty where not wanted
  };
  // backward() `passes` times and finish(), after forward(). seeds: the gradients of the outputs.
  Gradients backward(const std::vector<Values>& seeds, int passes = 1);

 private:
  class BenchPass;
  class Guarded;  // device memory between sentinels
  void start_anew(const Slot& slot, const Guarded& memory);
  void check(const std::string& when);  // sentinels and parameters
  void poison_scratch();

  Device& device_;
  BenchOptions options_;
  NetSpec spec_;
  Parameters owner_;
  Node node_;
  std::unique_ptr<Layer> layer_;
  Declaration declaration_;
  std::vector<Shape> input_shapes_, output_shapes_;
  std::vector<Parameter*> stored_;
  std::vector<Values> inputs_, parameter_values_;
  DeviceMemory step_;  // kPassIndex

  std::vector<std::unique_ptr<Guarded>> input_, output_, input_gradient_, output_gradient_;
  std::vector<std::unique_ptr<Guarded>> memory_, value_, gradient_;  // by Handle
};

}  // namespace orepa
