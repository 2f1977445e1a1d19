#include "reparam/linear_expression.h"

#include <algorithm>

#include "reparam/linear_layers.h"

namespace orepa {
namespace {

using Kind = LinearExpression::Kind;

LinearValue evaluate_sequence(const LinearExpression& sequence, const Graph& graph,
                              const Parameters& parameters) {
  LinearValue value = evaluate(sequence.parts[0], graph, parameters);
  for (size_t i = 1; i < sequence.parts.size(); ++i) {
    LinearValue next = evaluate(sequence.parts[i], graph, parameters);
    value.map = chain(value.map, next.map);
    value.weights.include(next.weights);
    value.branches.insert(value.branches.end(), next.branches.begin(), next.branches.end());
  }
  return value;
}

LinearValue evaluate_sum(const LinearExpression& sum, const Graph& graph,
                         const Parameters& parameters) {
  LinearValue value;
  std::vector<LinearMap> maps;
  for (const LinearExpression& part : sum.parts) {
    LinearValue term = evaluate(part, graph, parameters);
    ConvertReport::Branch& branch = value.branches.emplace_back();
    branch.parts = part.parts_text(graph);
    if (part.kind != Kind::kIdentity) branch.weights.include(term.map.kernel);
    value.weights.include(term.weights);
    maps.push_back(std::move(term.map));
  }
  value.map = add(maps, sum.factors);
  return value;
}

}  // namespace

LinearExpression LinearExpression::identity(int64_t channels) {
  return {Kind::kIdentity, LinearShape::identity(channels), -1, {}, {}};
}

LinearExpression LinearExpression::layer(int node, const LinearShape& shape) {
  return {Kind::kLayer, shape, node, {}, {}};
}

LinearExpression LinearExpression::sequence(const LinearExpression& first,
                                            const LinearExpression& second) {
  if (first.kind == Kind::kIdentity) return second;
  LinearExpression whole{Kind::kSequence, chain(first.shape, second.shape), -1, {}, {}};
  for (const LinearExpression* one : {&first, &second})
    if (one->kind == Kind::kSequence)
      whole.parts.insert(whole.parts.end(), one->parts.begin(), one->parts.end());
    else
      whole.parts.push_back(*one);
  return whole;
}

LinearExpression LinearExpression::sum(int node, std::vector<LinearExpression> terms,
                                       std::vector<double> factors) {
  std::vector<LinearShape> shapes;
  for (const LinearExpression& term : terms) shapes.push_back(term.shape);
  return {Kind::kSum, add(shapes), node, std::move(terms), std::move(factors)};
}

bool LinearExpression::is_normalisation(const Graph& graph) const {
  if (kind == Kind::kLayer)
    return is_linear(graph.nodes[node].spec, LinearRole::Kind::kNormalisation);
  return kind == Kind::kSequence &&
         std::all_of(parts.begin(), parts.end(),
                     [&](const LinearExpression& part) { return part.is_normalisation(graph); });
}

int LinearExpression::named(const Graph& graph) const {
  if (kind != Kind::kSequence) return node;
  const auto found = std::find_if(parts.begin(), parts.end(), [&](const LinearExpression& part) {
    return !part.is_normalisation(graph);
  });
  return (found == parts.end() ? parts.front() : *found).named(graph);
}

std::string LinearExpression::parts_text(const Graph& graph) const {
  if (kind == Kind::kIdentity) return "identity";
  if (kind == Kind::kLayer) return graph.nodes[node].spec.type;
  if (kind == Kind::kSum) return text(parts.size(), parts.size() == 1 ? " branch" : " branches");
  std::string all;
  for (const LinearExpression& part : parts)
    all += (all.empty() ? "" : " + ") + part.parts_text(graph);
  return all;
}

std::vector<int> LinearExpression::layers() const {
  if (kind == Kind::kLayer) return {node};
  std::vector<int> nodes;
  for (const LinearExpression& part : parts) nodes.push_back(part.node);
  return nodes;
}

LinearValue evaluate(const LinearExpression& expression, const Graph& graph,
                     const Parameters& parameters) {
  if (expression.kind == Kind::kSequence) return evaluate_sequence(expression, graph, parameters);
  if (expression.kind == Kind::kSum) return evaluate_sum(expression, graph, parameters);
  LinearValue value;
  if (expression.kind == Kind::kIdentity) {
    value.map = LinearMap::identity(expression.shape.outputs);
    return value;
  }
  const LayerSpec& spec = graph.nodes[expression.node].spec;
  value.map = linear_map(spec, expression.shape, parameters);
  if (is_linear(spec, LinearRole::Kind::kKernel)) value.weights.include(value.map.kernel);
  return value;
}

}  // namespace orepa
