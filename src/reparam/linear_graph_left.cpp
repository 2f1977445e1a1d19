// What stays as it is: growth beyond the limit, and the reasons for people.
#include <algorithm>
#include <iomanip>
#include <sstream>

#include "reparam/linear_graph.h"

namespace orepa {
namespace {

using Cost = Operation::Cost;
using Joint = Operation::Joint;

double ratio(int64_t after, int64_t before) {
  return static_cast<double>(after) / static_cast<double>(before);
}

// How many times the cost before; weights count where there were some.
double growth(const Cost& before, const Cost& after) {
  const double macs = ratio(after.macs, before.macs);
  return before.weights == 0 ? macs : std::max(macs, ratio(after.weights, before.weights));
}

std::string too_large(const Cost& before, const Cost& after) {
  const double times = growth(before, after);
  std::ostringstream reason;
  reason << std::fixed << std::setprecision(1) << "one convolution would need " << times
         << " times the "
         << (times > ratio(after.macs, before.macs) ? "weights" : "multiply-accumulates")
         << " of these layers";
  return reason.str();
}

}  // namespace

bool LinearGraph::give_up_on_growth() {
  std::map<int, std::string> apart, stay;
  for (const Operation& operation : operations_) {
    if (operation.kind != Operation::Kind::kLinear || operation.nodes.size() < 2) continue;
    const Cost after = cost(operation.map, operation.outputs[0]);
    if (growth(operation.cost, after) <= most_growth_) continue;
    // Neighbours before what is inside of a block, unless it is no neighbour that makes it grow.
    const auto worst = [](const std::vector<Joint>& joints) {
      return *std::max_element(joints.begin(), joints.end(), [](const Joint& a, const Joint& b) {
        return growth(a.before, a.after) < growth(b.before, b.after);
      });
    };
    const std::vector<Joint>&outer = operation.joints, &inner = operation.inner_joints;
    if (outer.empty() && inner.empty()) {
      if (stays(operation)) continue;
      for (const int node : operation.nodes) stay[node] = too_large(operation.cost, after);
      continue;
    }
    const bool neighbours =
        inner.empty() || (!outer.empty() && growth(worst(outer).before, worst(outer).after) > 1);
    const Joint joint = worst(neighbours ? outer : inner);
    apart[joint.second] = too_large(joint.before, joint.after);
  }
  const bool found = !apart.empty() || !stay.empty();
  if (apart.empty()) {
    stay_.merge(stay);
  } else {
    apart_.merge(apart);
    stay_.clear();  // without a chain in it, a sum may be small enough
  }
  return found;
}

std::vector<LinearGraph::Left> LinearGraph::left() const {
  std::vector<Left> left;
  for (const Operation& operation : operations_) {
    if (operation.kind == Operation::Kind::kSum) {
      for (const auto& [start, terms] : terms_by_root(operation))
        left.push_back({operation.named, cannot_add_terms(operation, terms)});
      continue;
    }
    const LayerSpec& layer = spec(operation.named);
    if (operation.kind == Operation::Kind::kOther) {
      if (layer.type == "BatchNorm" || layer.type == "BatchNormPad")
        left.push_back({operation.named, "it does not use running statistics of N x C x H x W"});
      continue;
    }
    const int value = operation.inputs[0], made = producer(value);
    const bool linear_before = made >= 0 && operations_[made].kind == Operation::Kind::kLinear;
    if (private_producer(value) >= 0)
      left.push_back({operation.named, why_not_chained(operation)});
    else if (is_normalisation(layer))
      left.push_back({operation.named, linear_before ? "what it normalises has other readers too"
                                                     : "the layer before it is not linear"});
  }
  return left;
}

}  // namespace orepa
