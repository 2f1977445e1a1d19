#include "reparam/linear_graph.h"

#include <algorithm>
#include <iomanip>
#include <sstream>

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
        operation.macs = macs(operation.map, out);
        if (is_convolution(node.spec)) operation.weights.include(operation.map.kernel);
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

int64_t LinearGraph::macs(const LinearMap& map, int output) const {
  const auto [height, width] = extents(output);
  return map.outputs * map.inputs_per_group() * map.taps() * height * width;
}

void LinearGraph::erase(const std::vector<size_t>& operations) {
  for (auto it = operations.rbegin(); it != operations.rend(); ++it)
    operations_.erase(operations_.begin() + static_cast<int64_t>(*it));
}

// --- one behind the other -----------------------------------------------------------------------

std::string LinearGraph::why_not_chained(const Operation& second) const {
  const Operation& first = operations_[private_producer(second.inputs[0])];
  if (!first.map.is_channelwise() && !second.map.is_channelwise())
    for (const Operation* operation : {&first, &second})
      for (const int node : operation->nodes)
        if (stay_.contains(node)) return stay_.at(node);
  return cannot_chain(first.map, second.map);
}

bool LinearGraph::merge_chain(size_t at) {
  const int made = private_producer(operations_[at].inputs[0]);
  if (made < 0 || !why_not_chained(operations_[at]).empty()) return false;
  const Operation& first = operations_[made];
  Operation& second = operations_[at];
  second.map = chain(first.map, second.map);
  second.inputs = first.inputs;
  second.nodes.insert(second.nodes.begin(), first.nodes.begin(), first.nodes.end());
  if (!is_normalisation(spec(first.named)) || is_normalisation(spec(second.named)))
    second.named = first.named;
  second.macs += first.macs;
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
        uses(operations_[at].inputs[k]) != 1)
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
    merged.macs += branch.macs;
    merged.weights.include(branch.weights);
    if (terms.size() < sum.inputs.size() && merged.outputs == sum.outputs) {
      merged.outputs = {value};
      merged.named = branch.named;
    }
    absorbed.push_back(static_cast<size_t>(made));
  }
  merged.map = add(parts);
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
  bool found = false;
  for (const Operation& operation : operations_) {
    if (operation.kind != Operation::Kind::kLinear || operation.nodes.size() < 2 ||
        stays(operation))
      continue;
    const double growth =
        static_cast<double>(macs(operation.map, operation.outputs[0])) / operation.macs;
    if (growth <= most_growth_) continue;
    std::ostringstream reason;
    reason << std::fixed << std::setprecision(1) << "one convolution would need " << growth
           << " times the multiply-accumulates of these layers";
    for (const int node : operation.nodes) stay_[node] = reason.str();
    found = true;
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
