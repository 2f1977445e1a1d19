#include "reparam/linear_graph.h"

#include <algorithm>

#include "orepa/error.h"
#include "reparam/linear_layers.h"

namespace orepa {

LinearGraph::LinearGraph(const Graph& graph,
                         const std::function<Shape(const std::string&)>& shape_of, bool merge_all)
    : graph_(graph), merge_all_(merge_all) {
  for (const orepa::Value& value : graph.values)
    values_.push_back({value.name, false, shape_of(value.name)});
  build();
  simplify();
}

void LinearGraph::build() {
  for (int n = 0; n < static_cast<int>(graph_.nodes.size()); ++n) {
    const Node& node = graph_.nodes[n];
    Operation& operation = operations_.emplace_back();
    operation.inputs = node.inputs;
    operation.outputs = node.outputs;
    operation.node = n;
    if (node.outputs.size() != 1) continue;
    const Shape& out = values_[node.outputs[0]].shape;
    const auto shape = node.inputs.size() == 1
                           ? linear_shape(node.spec, values_[node.inputs[0]].shape, out)
                           : std::nullopt;
    if (shape) {
      operation.kind = Operation::Kind::kLinear;
      operation.linear = LinearExpression::layer(n, *shape);
    } else if (out.rank() == 4 || out.rank() == 2) {
      operation.factors = sum_factors(node.spec, node.inputs.size());
      if (!operation.factors.empty()) operation.kind = Operation::Kind::kSum;
    }
  }
}

// Every merge takes an operation or an input away, so that there are at most as many merges as
// those are at first.
void LinearGraph::simplify() {
  int64_t left = merges_left();
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < operations_.size(); ++i) {
      const size_t before = operations_.size();
      if (!merge_at(i)) continue;
      changed = true;
      i -= before - operations_.size() + 1;  // the same operation again: what went stood before it
      const int64_t next = merges_left();
      require(next < left, "merging made the graph no smaller, so it would not end: this is a bug");
      left = next;
    }
  }
}

int64_t LinearGraph::merges_left() const {
  size_t count = operations_.size();
  for (const Operation& operation : operations_) count += operation.inputs.size();
  return static_cast<int64_t>(count);
}

bool LinearGraph::merge_at(size_t at) {
  switch (operations_[at].kind) {
    case Operation::Kind::kLinear:
      return merge_sequence(at);
    case Operation::Kind::kSum:
      return flatten_sum(at) || merge_branches(at);
    default:
      return false;
  }
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

int LinearGraph::private_producer(int value, Operation::Kind kind) const {
  const int made = producer(value);
  return made >= 0 && operations_[made].kind == kind && uses(value) == 1 ? made : -1;
}

void LinearGraph::erase(std::vector<size_t> operations) {
  std::sort(operations.begin(), operations.end());
  for (auto it = operations.rbegin(); it != operations.rend(); ++it)
    operations_.erase(operations_.begin() + static_cast<int64_t>(*it));
}

std::string LinearGraph::cannot_sequence(const LinearShape& first, int input,
                                         const LinearShape& second, int output) const {
  const std::string reason = cannot_chain(first, second);
  const bool flattens = values_[input].shape.rank() == 4 && values_[output].shape.rank() == 2;
  if (reason.empty() && flattens && !chain(first, second).covers(extents(input)))
    return "an InnerProduct reads every pixel once, which the layers before it do not";
  return reason;
}

bool LinearGraph::merge_sequence(size_t at) {
  const int made = private_producer(operations_[at].inputs[0], Operation::Kind::kLinear);
  if (made < 0) return false;
  const Operation& first = operations_[made];
  Operation& second = operations_[at];
  if (!cannot_sequence(first.linear.shape, first.inputs[0], second.linear.shape, second.outputs[0])
           .empty() ||
      !sequence_too_large(first, second).empty())
    return false;
  second.linear = LinearExpression::sequence(first.linear, second.linear);
  second.inputs = first.inputs;
  erase({static_cast<size_t>(made)});
  return true;
}

}  // namespace orepa
