// Side by side: branches of a sum.
#include <algorithm>
#include <limits>

#include "reparam/linear_graph.h"

namespace orepa {
namespace {

constexpr size_t kMostTerms = 16;  // of an Eltwise (layers/eltwise.cpp)
constexpr int kMostNested = 8;     // sums inside of a branch, one in the other

bool computes(const LinearExpression& linear) {
  return linear.kind != LinearExpression::Kind::kIdentity;
}

}  // namespace

bool LinearGraph::flatten_sum(size_t at) {
  for (size_t k = 0; k < operations_[at].inputs.size(); ++k) {
    const int made = private_producer(operations_[at].inputs[k], Operation::Kind::kSum);
    if (made < 0 ||
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
    erase({static_cast<size_t>(made)});
    return true;
  }
  return false;
}

// What has other readers ends it, and so does what no map is exact for.
LinearGraph::Branch LinearGraph::branch(int value, int nested) const {
  std::vector<int> layers;  // operations, from the last one
  for (int made; (made = private_producer(value, Operation::Kind::kLinear)) >= 0;
       value = operations_[made].inputs[0])
    layers.push_back(made);
  const int sum = private_producer(value, Operation::Kind::kSum);
  Branch branch = sum >= 0 && nested < kMostNested
                      ? branch_of_sum(static_cast<size_t>(sum), nested + 1)
                      : start(value);
  for (auto layer = layers.rbegin(); layer != layers.rend(); ++layer) {
    const Operation& next = operations_[*layer];
    if (!cannot_sequence(branch.linear.shape, branch.root, next.linear.shape, next.outputs[0])
             .empty())
      branch = start(next.inputs[0]);
    const Cost own = cost(next.linear, next.outputs[0]);
    branch.linear = LinearExpression::sequence(branch.linear, next.linear);
    branch.cost = {branch.cost.macs + own.macs, branch.cost.weights + own.weights};
    branch.operations.push_back(static_cast<size_t>(*layer));
  }
  return branch;
}

LinearGraph::Branch LinearGraph::start(int value) const {
  Branch branch;
  branch.root = value;
  branch.linear = LinearExpression::identity(values_[value].shape[1]);
  return branch;
}

// A sum inside of a branch, that has stayed one by itself.
LinearGraph::Branch LinearGraph::branch_of_sum(size_t at, int nested) const {
  const Operation& sum = operations_[at];
  const std::vector<Branch> terms = branches(sum, nested);
  std::vector<size_t> all(terms.size());
  for (size_t k = 0; k < all.size(); ++k) all[k] = k;
  Branch whole;
  whole.root = terms[0].root;
  const bool one_root = std::all_of(terms.begin(), terms.end(),
                                    [&](const Branch& term) { return term.root == whole.root; });
  if (!one_root || !cannot_add_terms(sum, all, terms).empty()) return start(sum.outputs[0]);
  std::vector<LinearExpression> parts;
  for (const Branch& term : terms) {
    parts.push_back(term.linear);
    whole.cost = {whole.cost.macs + term.cost.macs, whole.cost.weights + term.cost.weights};
    whole.operations.insert(whole.operations.end(), term.operations.begin(), term.operations.end());
  }
  whole.linear = LinearExpression::sum(sum.node, std::move(parts), sum.factors);
  whole.operations.push_back(at);
  return whole;
}

std::vector<LinearGraph::Branch> LinearGraph::branches(const Operation& sum, int nested) const {
  std::vector<Branch> all;
  for (const int input : sum.inputs) all.push_back(branch(input, nested));
  return all;
}

std::map<int, std::vector<size_t>> LinearGraph::blocks(const std::vector<Branch>& branches) const {
  std::map<int, std::vector<size_t>> groups;
  for (size_t k = 0; k < branches.size(); ++k) groups[branches[k].root].push_back(k);
  std::erase_if(groups, [&](const auto& group) {
    return (group.second.size() == 1 && branches.size() > 1) ||
           std::none_of(group.second.begin(), group.second.end(),
                        [&](size_t k) { return computes(branches[k].linear); });
  });
  return groups;
}

std::string LinearGraph::cannot_add_terms(const Operation& sum, const std::vector<size_t>& terms,
                                          const std::vector<Branch>& branches) const {
  std::vector<LinearShape> shapes;
  for (const size_t k : terms) shapes.push_back(branches[k].linear.shape);
  return cannot_add(shapes, extents(branches[terms[0]].root), extents(sum.outputs[0]));
}

// All if that can be, else the most that go together with one of them; then, while one layer would
// be too large, all but the term without which it grows least.
std::vector<size_t> LinearGraph::mergeable(const Operation& sum, const std::vector<size_t>& block,
                                           const std::vector<Branch>& branches) const {
  std::vector<size_t> most;
  if (cannot_add_terms(sum, block, branches).empty()) most = block;
  for (size_t i = 0; i < block.size() && most.size() < block.size(); ++i) {
    std::vector<size_t> together = {block[i]};
    for (const size_t k : block) {
      if (k == block[i]) continue;
      together.push_back(k);
      if (!cannot_add_terms(sum, together, branches).empty()) together.pop_back();
    }
    if (together.size() > most.size()) most = std::move(together);
  }
  std::sort(most.begin(), most.end());
  while (most.size() > 1 && !block_too_large(sum, most, branches).empty()) {
    std::vector<size_t> best;
    double least = std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < most.size(); ++i) {
      std::vector<size_t> rest = most;
      rest.erase(rest.begin() + static_cast<int64_t>(i));
      const auto [before, after] = block_costs(sum, rest, branches);
      if (best.empty() || growth(before, after) < least) {
        least = growth(before, after);
        best = std::move(rest);
      }
    }
    most = std::move(best);
  }
  return most;
}

bool LinearGraph::merge_branches(size_t at) {
  const std::vector<Branch> all = branches(operations_[at]);
  for (const auto& [root, block] : blocks(all)) {
    const std::vector<size_t> terms = mergeable(operations_[at], block, all);
    const bool whole = terms.size() == all.size();
    if ((terms.size() == 1 && !whole) || !block_too_large(operations_[at], terms, all).empty() ||
        std::none_of(terms.begin(), terms.end(), [&](size_t k) { return computes(all[k].linear); }))
      continue;
    merge_terms(at, terms, all);
    return true;
  }
  return false;
}

void LinearGraph::merge_terms(size_t at, const std::vector<size_t>& terms,
                              const std::vector<Branch>& branches) {
  const Operation sum = operations_[at];
  std::vector<LinearExpression> parts;
  std::vector<double> factors;
  std::vector<size_t> absorbed;
  for (const size_t k : terms) {
    parts.push_back(branches[k].linear);
    factors.push_back(sum.factors[k]);
    absorbed.insert(absorbed.end(), branches[k].operations.begin(), branches[k].operations.end());
  }
  Operation merged;
  merged.kind = Operation::Kind::kLinear;
  merged.inputs = {branches[terms[0]].root};
  if (terms.size() == sum.inputs.size()) {
    merged.outputs = sum.outputs;
    merged.linear = LinearExpression::sum(sum.node, std::move(parts), std::move(factors));
    operations_[at] = std::move(merged);
    erase(std::move(absorbed));
    return;
  }
  const size_t named = *std::find_if(terms.begin(), terms.end(),
                                     [&](size_t k) { return computes(branches[k].linear); });
  const Value& value = values_[sum.inputs[named]];
  merged.outputs = {static_cast<int>(values_.size())};
  merged.linear = LinearExpression::sum(branches[named].linear.named(graph_), std::move(parts),
                                        std::move(factors));
  values_.push_back({value.blob, true, value.shape});
  Operation& rest = operations_[at];
  for (auto k = terms.rbegin(); k != terms.rend(); ++k) {
    rest.inputs.erase(rest.inputs.begin() + static_cast<int64_t>(*k));
    rest.factors.erase(rest.factors.begin() + static_cast<int64_t>(*k));
  }
  rest.inputs.push_back(merged.outputs[0]);
  rest.factors.push_back(1);
  operations_.insert(operations_.begin() + static_cast<int64_t>(at), std::move(merged));
  erase(std::move(absorbed));
}

}  // namespace orepa
