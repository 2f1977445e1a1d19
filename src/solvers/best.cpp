#include "solvers/best.h"

namespace orepa {
namespace {

using Output = Evaluation::Output;

// What the first Accuracy makes; null where there is none in the test.
const Output* accuracy(const NetSpec& net, const Evaluation& evaluation) {
  for (const Options& layer : net.layers()) {
    if (layer.string("type") != "Accuracy") continue;
    for (const Output& output : evaluation.outputs)
      if (layer.has("top") && output.blob == layer.strings("top")[0] && output.values.size() == 1)
        return &output;
  }
  return nullptr;
}

}  // namespace

std::optional<Best> better(const std::optional<Best>& best, int64_t iteration, const NetSpec& net,
                           const Evaluation& evaluation) {
  Best tested;
  tested.iteration = tested.last_judged = iteration;
  const Output* found = accuracy(net, evaluation);
  const bool high = found != nullptr;
  if (high) {
    tested.output = found->blob;
    tested.value = static_cast<float>(found->values[0]);
  } else {
    double loss = 0;
    for (const Output& output : evaluation.outputs) {
      if (output.loss_weight == 0) continue;
      if (tested.output.empty()) tested.output = output.blob;
      for (const double value : output.values) loss += output.loss_weight * value;
    }
    if (tested.output.empty()) return {};
    tested.value = static_cast<float>(loss);
  }
  if (best && best->output == tested.output &&
      !(high ? tested.value > best->value : tested.value < best->value))
    return {};
  return tested;
}

bool judge(std::optional<Best>& best, int64_t iteration, const NetSpec& net,
           const Evaluation& evaluation) {
  if (const auto found = better(best, iteration, net, evaluation)) {
    best = found;
    return true;
  }
  if (best && best->last_judged != iteration) {
    ++best->judged_since;
    best->last_judged = iteration;
  }
  return false;
}

bool none_better_in(const std::optional<Best>& best, int64_t tests) {
  return tests > 0 && best && best->judged_since >= tests;
}

}  // namespace orepa
