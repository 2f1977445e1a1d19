// Program: a training step as a linear list of steps, which is the automatic differentiation, and
// the lifetime of every buffer those steps touch. A pure function of the graph and of what each
// layer declared.
//
// Gradients are in single assignment too: every reader of a value writes a buffer of its own, and
// Accumulate steps sum them as soon as the second one is there, so layers never sum and nobody
// writes Split layers. Gradients that nobody needs are not computed.
//
// A value has the type of the layer that makes it. Where a reader takes the other type, Cast steps
// stand before it: of the value, once for all readers of that type, and of each one's gradient on
// its way back.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/graph.h"
#include "engine/memory_plan.h"
#include "orepa/layer.h"

namespace orepa {

// What a node needs of the arena, from its step of one stage to that of another: saved memory from
// forward to backward, a factor's gradient from finish to update, scratch within one.
struct NodeMemory {
  int64_t bytes = 0;
  Stage first = Stage::kForward, last = Stage::kForward;
  bool is_scratch() const { return first == last; }
  bool is_saved() const { return first == Stage::kForward && last == Stage::kBackward; }
};

// What a layer declared in its setup(), as far as the program needs it.
struct NodeTraits {
  std::vector<int64_t> output_counts;
  DType type = DType::kFloat32;  // of inputs, outputs and their gradients
  bool learns = false;           // has a parameter whose gradient is wanted
  bool prepares = false, finishes = false, updates = false;  // has steps of these stages
  bool forward_only = false;
  bool inputs_share_gradient = false;
  std::vector<bool> differentiable;                // an input: whether anything flows back into it
  std::vector<bool> reads_input, reads_output;     // in backward()
  std::vector<bool> gradient_may_overwrite;        // an input's gradient, over that of output 0
  std::vector<std::pair<int, int>> may_overwrite;  // output, input
  std::vector<float> loss_weight;                  // an output: 0 where it is no loss
  std::vector<NodeMemory> memory;
};

struct Step {
  enum class Kind {
    kPrepare,
    kForward,
    kBackward,
    kFill,        // out = value everywhere: the loss weight, or 0 where nothing flows back
    kSeed,        // out = the gradient that the caller gave for `value_index`
    kAccumulate,  // out = a + b
    kCast,        // out = a, in out's type
    kRead,        // nothing: here the caller may read what is kept
    kFinish,
    kUpdate,
  };
  Kind kind = Kind::kForward;
  int node = -1;                 // of kForward and kBackward
  std::vector<int> nodes;        // of kPrepare, kFinish and kUpdate: none needs anything of another
  int a = -1, b = -1, out = -1;  // buffers
  float fill = 0;
  int value_index = -1;
  std::vector<int> output_gradients, input_gradients;  // of kBackward: buffers, -1 where unwanted
};

struct Program {
  std::vector<Step> steps;
  // The first step of each part. Those before `forward` prepare; those from `finish` on finish and
  // update, some layers at a time.
  int forward = 0, backward = 0, finish = 0;
  int compute = 0;  // of those of `forward`, the first behind all sources, nodes without inputs
  std::vector<MemoryRequest> buffers;
  std::vector<DType> types;             // of the numbers in a buffer of values or gradients
  std::vector<std::vector<int>> input;  // by node: the buffer that it reads an input from
  std::vector<int> value_buffer;        // a value's own buffer
  std::vector<int> value_gradient;  // where its complete gradient ends up; -1 if it is not computed
  std::vector<std::vector<int>> memory;  // by node: buffers of NodeTraits::memory; -1: unused
};

struct ProgramOptions {
  bool backward = false;
  std::vector<int> keep_values;     // readable at kRead, besides values nobody consumes
  std::vector<int> want_gradients;  // values whose gradient is computed and readable at kRead
  std::vector<int> seed_values;     // values whose gradient the caller gives
  // How much memory nodes that prepare, or finish and update, in one step may take together; with 0
  // each has a step of its own.
  int64_t step_bytes = 0;
};

Program make_program(const Graph& graph, const std::vector<NodeTraits>& traits,
                     const ProgramOptions& options);

}  // namespace orepa
