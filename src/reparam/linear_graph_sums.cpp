// Side by side: branches of a sum.
#include <algorithm>

#include "reparam/linear_graph.h"

namespace orepa {
namespace {

constexpr size_t kMostTerms = 16;  // of an Eltwise (layers/eltwise.cpp)

}  // namespace

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
  const Operation::Cost whole = cost(merged.map, merged.outputs[0]);
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

}  // namespace orepa
