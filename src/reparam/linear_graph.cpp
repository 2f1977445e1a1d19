#include "reparam/linear_graph.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

namespace orepa {
namespace {

using Cost = Operation::Cost;
using Joint = Operation::Joint;

constexpr size_t kMostTerms = 16;  // of an Eltwise (layers/eltwise.cpp)

Cost operator+(const Cost& a, const Cost& b) { return {a.macs + b.macs, a.weights + b.weights}; }

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

// --- one behind the other -----------------------------------------------------------------------

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
    const Cost before = first.cost + second.cost, after = cost(map, second.outputs[0]);
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

// --- side by side -------------------------------------------------------------------------------

bool LinearGraph::flatten_sum(size_t at) {
  for (size_t k = 0; k < operations_[at].inputs.size(); ++k) {
    const int made = producer(operations_[at].inputs[k]);
    if (made < 0 || operations_[made].kind != Operation::Kind::kSum ||
        uses(operations_[at].inputs[k]) != 1 ||
        operations_[made].inputs.size() + operations_[at].inputs.size() - 1 > kMostTerms)
      continue;
    Operation& sum = operations_[at];
    const Operation inner = operations_[made];
    const double factor = sum.factors[k];
    sum.inputs.erase(sum.inputs.begin() + static_cast<int64_t>(k));
    sum.factors.erase(sum.factors.begin() + static_cast<int64_t>(k));
    for (size_t i = 0; i < inner.inputs.size(); ++i) {
      sum.inputs.push_back(inner.inputs[i]);
      sum.factors.push_back(factor * inner.factors[i]);
    }
    sum.nodes.insert(sum.nodes.begin(), inner.nodes.begin(), inner.nodes.end());
    erase({static_cast<size_t>(made)});
    return true;
  }
  return false;
}

int LinearGraph::root(int value) const {
  const int made = private_producer(value);
  return made < 0 ? value : operations_[made].inputs[0];
}

std::map<int, std::vector<size_t>> LinearGraph::terms_by_root(const Operation& sum) const {
  std::map<int, std::vector<size_t>> groups;
  for (size_t k = 0; k < sum.inputs.size(); ++k) groups[root(sum.inputs[k])].push_back(k);
  std::erase_if(groups, [&](const auto& group) {
    const bool whole = group.second.size() == sum.inputs.size();
    const bool computes = std::any_of(group.second.begin(), group.second.end(),
                                      [&](size_t k) { return sum.inputs[k] != group.first; });
    return !computes || (group.second.size() == 1 && !whole);
  });
  return groups;
}

LinearMap LinearGraph::map_of(int value) const {
  const int made = private_producer(value);
  return made < 0 ? LinearMap::identity(shape_of_(graph_.values[value].name)[1])
                  : operations_[made].map;
}

std::string LinearGraph::cannot_add_terms(const Operation& sum,
                                          const std::vector<size_t>& terms) const {
  std::vector<LinearMap> maps;
  for (const size_t k : terms) maps.push_back(map_of(sum.inputs[k]));
  std::vector<Term> parts;
  for (size_t i = 0; i < terms.size(); ++i) parts.push_back({&maps[i], sum.factors[terms[i]]});
  for (const size_t k : terms)
    if (const int made = private_producer(sum.inputs[k]); made >= 0 && stays(operations_[made]))
      return stay_.at(*std::find_if(operations_[made].nodes.begin(), operations_[made].nodes.end(),
                                    [&](int node) { return stay_.contains(node); }));
  return cannot_add(parts, extents(root(sum.inputs[terms[0]])), extents(sum.outputs[0]));
}

// All branches that start at one value if that can be, else those that go with the first of them.
bool LinearGraph::merge_branches(size_t at) {
  for (const auto& [start, terms] : terms_by_root(operations_[at])) {
    std::vector<size_t> together = terms;
    if (!cannot_add_terms(operations_[at], together).empty()) {
      together = {terms[0]};
      for (size_t i = 1; i < terms.size(); ++i) {
        together.push_back(terms[i]);
        if (!cannot_add_terms(operations_[at], together).empty()) together.pop_back();
      }
      if (together.size() == 1) continue;
    }
    merge_terms(at, together);
    return true;
  }
  return false;
}

void LinearGraph::merge_terms(size_t at, const std::vector<size_t>& terms) {
  const Operation sum = operations_[at];
  Operation merged;
  merged.kind = Operation::Kind::kLinear;
  merged.inputs = {root(sum.inputs[terms[0]])};
  merged.outputs = sum.outputs;
  merged.named = sum.named;
  std::vector<LinearMap> maps;
  std::vector<size_t> absorbed;
  for (const size_t k : terms) maps.push_back(map_of(sum.inputs[k]));
  std::vector<Term> parts;
  for (size_t i = 0; i < terms.size(); ++i) {
    const int value = sum.inputs[terms[i]];
    parts.push_back({&maps[i], sum.factors[terms[i]]});
    const int made = private_producer(value);
    if (made < 0) {
      merged.branches.push_back({"identity", {}});
      continue;
    }
    const Operation& branch = operations_[made];
    merged.branches.push_back({branch.parts, {}});
    merged.branches.back().weights.include(branch.map.kernel);
    merged.nodes.insert(merged.nodes.end(), branch.nodes.begin(), branch.nodes.end());
    merged.cost = merged.cost + branch.cost;
    for (const std::vector<Operation::Joint>* joints : {&branch.joints, &branch.inner_joints})
      merged.inner_joints.insert(merged.inner_joints.end(), joints->begin(), joints->end());
    merged.weights.include(branch.weights);
    if (terms.size() < sum.inputs.size() && merged.outputs == sum.outputs) {
      merged.outputs = {value};
      merged.partial = true;
      merged.named = branch.named;
    }
    absorbed.push_back(static_cast<size_t>(made));
  }
  merged.map = add(parts);
  const Cost whole = cost(merged.map, merged.outputs[0]);
  merged.cost = {std::min(merged.cost.macs, whole.macs),
                 std::min(merged.cost.weights, whole.weights)};
  merged.parts = text(terms.size(), terms.size() == 1 ? " branch" : " branches");
  std::sort(merged.nodes.begin(), merged.nodes.end());

  if (terms.size() == sum.inputs.size()) {
    merged.nodes.insert(merged.nodes.end(), sum.nodes.begin(), sum.nodes.end());
    operations_[at] = std::move(merged);
  } else {
    Operation& rest = operations_[at];
    for (auto k = terms.rbegin(); k != terms.rend(); ++k) {
      rest.inputs.erase(rest.inputs.begin() + static_cast<int64_t>(*k));
      rest.factors.erase(rest.factors.begin() + static_cast<int64_t>(*k));
    }
    rest.inputs.push_back(merged.outputs[0]);
    rest.factors.push_back(1);
    operations_.insert(operations_.begin() + static_cast<int64_t>(at), std::move(merged));
  }
  std::sort(absorbed.begin(), absorbed.end());
  erase(absorbed);
}

// --- what stays ---------------------------------------------------------------------------------

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
