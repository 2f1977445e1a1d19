#include "reparam/linear_graph.h"

#include <algorithm>

namespace orepa {

LinearGraph::LinearGraph(const Graph& graph, const Parameters& parameters,
                         const std::function<Shape(const std::string&)>& shape_of,
                         double most_growth)
    : graph_(graph), parameters_(parameters), shape_of_(shape_of), most_growth_(most_growth) {
  do {
    build();
    while (simplify()) {
    }
  } while (give_up_on_growth());
}

void LinearGraph::build() {
  operations_.clear();
  for (int n = 0; n < static_cast<int>(graph_.nodes.size()); ++n) {
    const Node& node = graph_.nodes[n];
    Operation operation;
    operation.inputs = node.inputs;
    operation.outputs = node.outputs;
    operation.nodes = {n};
    operation.named = n;
    operation.parts = node.spec.type;
    if (node.inputs.size() == 1 && node.outputs.size() == 1) {
      const int in = node.inputs[0], out = node.outputs[0];
      if (auto map = linear_map(node.spec, shape_of_(graph_.values[in].name),
                                shape_of_(graph_.values[out].name), parameters_)) {
        operation.kind = Operation::Kind::kLinear;
        operation.map = std::move(*map);
        operation.cost = cost(operation.map, out);
        if (is_convolution(node.spec))
          operation.weights.include(operation.map.kernel);
        else
          operation.cost.weights = 0;
      }
    }
    if (operation.kind == Operation::Kind::kOther && node.outputs.size() == 1 &&
        shape_of_(graph_.values[node.outputs[0]].name).rank() == 4) {
      operation.factors = sum_factors(node.spec, node.inputs.size());
      if (!operation.factors.empty()) operation.kind = Operation::Kind::kSum;
    }
    operations_.push_back(std::move(operation));
  }
}

bool LinearGraph::simplify() {
  bool changed = false;
  for (size_t i = 0; i < operations_.size(); ++i) {
    const Operation::Kind kind = operations_[i].kind;
    const size_t before = operations_.size();
    const bool merged = (kind == Operation::Kind::kLinear && merge_chain(i)) ||
                        (kind == Operation::Kind::kSum && (flatten_sum(i) || merge_branches(i)));
    if (!merged) continue;
    changed = true;
    i -= before - operations_.size() + 1;  // the same operation again: what went stood before it
  }
  return changed;
}

int LinearGraph::uses(int value) const {
  int count = 0;
  for (const Operation& operation : operations_)
    count += static_cast<int>(std::count(operation.inputs.begin(), operation.inputs.end(), value));
  return count;
}

int LinearGraph::producer(int value) const {
  for (size_t i = 0; i < operations_.size(); ++i)
    for (const int output : operations_[i].outputs)
      if (output == value) return static_cast<int>(i);
  return -1;
}

int LinearGraph::private_producer(int value) const {
  const int made = producer(value);
  const bool fits = made >= 0 && operations_[made].kind == Operation::Kind::kLinear;
  return fits && uses(value) == 1 ? made : -1;
}

bool LinearGraph::stays(const Operation& operation) const {
  return std::any_of(operation.nodes.begin(), operation.nodes.end(),
                     [&](int node) { return stay_.contains(node); });
}

std::array<int64_t, 2> LinearGraph::extents(int value) const {
  const Shape shape = shape_of_(graph_.values[value].name);
  return {shape[2], shape[3]};
}

Operation::Cost LinearGraph::cost(const LinearMap& map, int output) const {
  const auto [height, width] = extents(output);
  const int64_t weights = map.outputs * map.inputs_per_group() * map.taps();
  return {weights * height * width, weights};
}

void LinearGraph::erase(const std::vector<size_t>& operations) {
  for (auto it = operations.rbegin(); it != operations.rend(); ++it)
    operations_.erase(operations_.begin() + static_cast<int64_t>(*it));
}

std::string LinearGraph::why_not_chained(const Operation& second) const {
  const Operation& first = operations_[private_producer(second.inputs[0])];
  const auto apart = apart_.find(second.nodes.front());
  if (apart != apart_.end() && !first.map.is_channelwise() && !second.map.is_channelwise())
    return apart->second;
  return cannot_chain(first.map, second.map);
}

bool LinearGraph::merge_chain(size_t at) {
  const int made = private_producer(operations_[at].inputs[0]);
  if (made < 0 || !why_not_chained(operations_[at]).empty()) return false;
  const Operation& first = operations_[made];
  Operation& second = operations_[at];
  LinearMap map = chain(first.map, second.map);
  if (!first.map.is_channelwise() && !second.map.is_channelwise()) {
    const Operation::Cost before = first.cost + second.cost, after = cost(map, second.outputs[0]);
    second.joints.insert(second.joints.begin(), {second.nodes.front(), before, after});
  }
  second.joints.insert(second.joints.begin(), first.joints.begin(), first.joints.end());
  second.inner_joints.insert(second.inner_joints.end(), first.inner_joints.begin(),
                             first.inner_joints.end());
  second.map = std::move(map);
  second.inputs = first.inputs;
  second.nodes.insert(second.nodes.begin(), first.nodes.begin(), first.nodes.end());
  if (!is_normalisation(spec(first.named)) || is_normalisation(spec(second.named)))
    second.named = first.named;
  second.cost = second.cost + first.cost;
  second.parts = first.parts + " + " + second.parts;
  second.branches.insert(second.branches.begin(), first.branches.begin(), first.branches.end());
  second.weights.include(first.weights);
  erase({static_cast<size_t>(made)});
  return true;
}

}  // namespace orepa
