// Program: a graph as a linear list of steps, which is the automatic differentiation, and the
// lifetime of every buffer those steps touch. A pure function of the graph and of what each layer
// declared.
//
// Gradients are in single assignment too: every reader of a value writes a buffer of its own, and
// Accumulate steps sum them as soon as the second one is there, so layers never sum and nobody
// writes Split layers. Gradients that nobody needs are not computed.
#pragma once
#include <cstdint>
#include <utility>
#include <vector>

#include "engine/graph.h"
#include "engine/memory_plan.h"

namespace orepa {

// What a layer declared in its setup(), as far as the program needs it.
struct NodeTraits {
  std::vector<int64_t> output_bytes;
  bool learns = false;  // has a parameter whose gradient is wanted
  bool forward_only = false;
  bool inputs_share_gradient = false;
  std::vector<bool> differentiable;                // an input: whether anything flows back into it
  std::vector<bool> reads_input, reads_output;     // in backward()
  std::vector<bool> gradient_may_overwrite;        // an input's gradient, over that of output 0
  std::vector<std::pair<int, int>> may_overwrite;  // output, input
  std::vector<float> loss_weight;                  // an output: 0 where it is no loss
  std::vector<int64_t> saved, forward_scratch, backward_scratch;  // bytes
};

struct Step {
  enum class Kind {
    kForward,
    kBackward,
    kFill,        // out = value everywhere: the loss weight, or 0 where nothing flows back
    kSeed,        // out = the gradient that the caller gave for `value_index`
    kAccumulate,  // out = a + b
  };
  Kind kind = Kind::kForward;
  int node = -1;
  int a = -1, b = -1, out = -1;  // buffers
  float fill = 0;
  int value_index = -1;
  std::vector<int> output_gradients, input_gradients;  // of kBackward: buffers, -1 where unwanted
};

struct Program {
  std::vector<Step> steps;
  int forward_steps = 0;  // the first ones; the rest is the backward pass
  std::vector<MemoryRequest> buffers;
  std::vector<int> value_buffer;    // a value's own buffer
  std::vector<int> value_gradient;  // where its complete gradient ends up; -1 if it is not computed
  // By node, in the order of declaration.
  std::vector<std::vector<int>> saved, forward_scratch, backward_scratch;
};

struct ProgramOptions {
  bool backward = false;
  std::vector<int> keep_values;     // readable until the end, besides values nobody consumes
  std::vector<int> want_gradients;  // values whose gradient is computed and readable until the end
  std::vector<int> seed_values;     // values whose gradient the caller gives
};

Program make_program(const Graph& graph, const std::vector<NodeTraits>& traits,
                     const ProgramOptions& options);

}  // namespace orepa
