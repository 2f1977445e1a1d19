// What operations cost, and why they stay as they are.
#include <algorithm>
#include <iomanip>
#include <limits>
#include <sstream>

#include "reparam/linear_graph.h"

namespace orepa {
namespace {

// A re-parameterised block may cost more as one layer: its branches also read and write feature
// maps, each its own.
constexpr double kMostGrowth = 2;

double ratio(int64_t after, int64_t before) {
  if (before == 0) return after == 0 ? 1 : std::numeric_limits<double>::infinity();
  return static_cast<double>(after) / static_cast<double>(before);
}

}  // namespace

std::array<int64_t, 2> LinearGraph::extents(int value) const {
  const Shape& shape = values_[value].shape;
  if (shape.rank() == 2) return {1, 1};
  return {shape[2], shape[3]};
}

LinearGraph::Cost LinearGraph::cost(const LinearShape& shape, int output) const {
  const auto [height, width] = extents(output);
  return {shape.weights() * height * width, shape.weights()};
}

LinearGraph::Cost LinearGraph::cost(const LinearExpression& linear, int output) const {
  Cost whole = cost(linear.shape, output);
  const bool pool =
      linear.kind == LinearExpression::Kind::kLayer && spec(linear.node).type == "Pooling";
  if (pool) whole.weights = 0;
  return whole;
}

double LinearGraph::growth(const Cost& before, const Cost& after) {
  return std::max(ratio(after.macs, before.macs), ratio(after.weights, before.weights));
}

std::string LinearGraph::too_large(const Cost& before, const Cost& after, int output) const {
  const std::string one = values_[output].shape.rank() == 2 ? "InnerProduct" : "convolution";
  if (before.weights == 0) return "one " + one + " would have weights, which these layers do not";
  const double times = growth(before, after);
  std::ostringstream reason;
  reason << "one " << one << " would need " << std::fixed << std::setprecision(times < 2 ? 2 : 1)
         << times << " times the "
         << (times > ratio(after.macs, before.macs) ? "weights" : "multiply-accumulates")
         << " of these layers";
  return reason.str();
}

std::string LinearGraph::sequence_too_large(const Operation& first, const Operation& second) const {
  const int output = second.outputs[0];
  const Cost one = cost(first.linear, first.outputs[0]), other = cost(second.linear, output);
  const Cost before = {one.macs + other.macs, one.weights + other.weights};
  Cost after = cost(chain(first.linear.shape, second.linear.shape), output);
  // A BatchNorm that pads makes the image of the convolution before it larger.
  if (first.linear.shape.is_channelwise() || second.linear.shape.is_channelwise())
    after.macs = std::min(after.macs, before.macs);
  if (merge_all_ || growth(before, after) <= 1) return "";
  return too_large(before, after, output);
}

std::pair<LinearGraph::Cost, LinearGraph::Cost> LinearGraph::block_costs(
    const Operation& sum, const std::vector<size_t>& terms,
    const std::vector<Branch>& branches) const {
  Cost before;
  std::vector<LinearShape> shapes;
  for (const size_t k : terms) {
    before.macs += branches[k].cost.macs;
    before.weights += branches[k].cost.weights;
    shapes.push_back(branches[k].linear.shape);
  }
  Cost after = cost(add(shapes), sum.outputs[0]);
  // A pool beside an identity becomes a small kernel.
  if (before.weights == 0) after.weights = 0;
  return {before, after};
}

std::string LinearGraph::block_too_large(const Operation& sum, const std::vector<size_t>& terms,
                                         const std::vector<Branch>& branches) const {
  const auto [before, after] = block_costs(sum, terms, branches);
  if (merge_all_ || growth(before, after) <= kMostGrowth) return "";
  return too_large(before, after, sum.outputs[0]);
}

std::vector<LinearGraph::Left> LinearGraph::left() const {
  std::vector<Left> left;
  for (const Operation& operation : operations_) {
    if (operation.kind == Operation::Kind::kSum) {
      const std::vector<Branch> all = branches(operation);
      for (const auto& [root, block] : blocks(all)) {
        const std::string reason = cannot_add_terms(operation, block, all);
        left.push_back(
            {operation.node, reason.empty() ? block_too_large(operation, block, all) : reason});
      }
      continue;
    }
    if (operation.kind == Operation::Kind::kOther) {
      const std::string& type = spec(operation.node).type;
      if (type == "BatchNorm" || type == "BatchNormPad")
        left.push_back(
            {operation.node, "it does not use running statistics of N x C x H x W or N x C"});
      continue;
    }
    const int named = operation.linear.named(graph_);
    const int value = operation.inputs[0], made = producer(value);
    const bool linear_before = made >= 0 && operations_[made].kind == Operation::Kind::kLinear;
    if (linear_before && uses(value) == 1) {
      const Operation& first = operations_[made];
      const std::string reason = cannot_sequence(first.linear.shape, first.inputs[0],
                                                 operation.linear.shape, operation.outputs[0]);
      left.push_back({named, reason.empty() ? sequence_too_large(first, operation) : reason});
    } else if (operation.linear.is_normalisation(graph_)) {
      left.push_back({named, linear_before ? "what it normalises has other readers too"
                                           : "the layer before it is not linear"});
    }
  }
  return left;
}

}  // namespace orepa
