// LinearGraph: the layers of a TEST graph as operations, of which linear ones are merged wherever
// that is exact and worth it. Found from the graph alone, in any nesting; names play no part, and
// no weight is read.
//
//   1. BatchNorm and Scale go into the layer with a kernel before or behind them.
//   2. Two layers in sequence become one if that costs no more multiply-accumulates and has no more
//      weights than the two.
//   3. Branches that start at one value and are added, a re-parameterised block, become one layer
//      with all that is in them, unless it costs more than twice what they do (kMostGrowth).
//
// So a linear bottleneck stays the two convolutions that it is, and a pool in front of a
// convolution a pool. With `merge_all`, whatever is exact is merged.
//
// linear_graph.cpp has the walk and the sequences, linear_graph_sums.cpp the branches, and
// linear_graph_cost.cpp what things cost and why they stay.
#pragma once
#include <functional>
#include <map>
#include <utility>

#include "reparam/linear_expression.h"

namespace orepa {

struct Operation {
  enum class Kind { kOther, kLinear, kSum };

  Kind kind = Kind::kOther;
  std::vector<int> inputs, outputs;  // of LinearGraph::values
  int node = -1;                     // of Graph::nodes; not of a kLinear
  LinearExpression linear;           // kLinear
  std::vector<double> factors;       // kSum: one an input
};

class LinearGraph {
 public:
  // The first ones are those of the graph; the others are sums of some terms of an Eltwise, called
  // after one of them.
  struct Value {
    std::string blob;
    bool partial = false;
    Shape shape;
  };
  struct Left {
    int node;
    std::string reason;
  };

  // `graph` must outlive it.
  LinearGraph(const Graph& graph, const std::function<Shape(const std::string&)>& shape_of,
              bool merge_all);

  const std::vector<Operation>& operations() const { return operations_; }  // producers first
  const std::vector<Value>& values() const { return values_; }
  // Linear layers that stay although one would want them merged, and why.
  std::vector<Left> left() const;

 private:
  struct Cost {
    int64_t macs = 0;     // multiply-accumulates of one forward pass
    int64_t weights = 0;  // numbers of kernels
  };
  // All that is linear between a value and where it starts.
  struct Branch {
    int root = -1;
    LinearExpression linear;
    Cost cost;                       // of its layers
    std::vector<size_t> operations;  // in order
  };

  void build();
  void simplify();
  bool merge_at(size_t operation);
  bool merge_sequence(size_t second);
  bool flatten_sum(size_t sum);
  bool merge_branches(size_t sum);
  void merge_terms(size_t sum, const std::vector<size_t>& terms,
                   const std::vector<Branch>& branches);

  int64_t merges_left() const;
  int uses(int value) const;
  int producer(int value) const;  // an operation
  // The operation of that kind that makes this value for one reader; else -1.
  int private_producer(int value, Operation::Kind kind) const;
  Branch start(int value) const;  // with nothing in it
  // `nested`: in how many sums it is looked at.
  Branch branch(int value, int nested) const;
  Branch branch_of_sum(size_t sum, int nested) const;
  std::vector<Branch> branches(const Operation& sum, int nested = 0) const;  // one an input
  // Inputs of a sum by the value that they start at, where that makes a block.
  std::map<int, std::vector<size_t>> blocks(const std::vector<Branch>& branches) const;
  // Those of a block's terms that become one layer; none or one where nothing does.
  std::vector<size_t> mergeable(const Operation& sum, const std::vector<size_t>& block,
                                const std::vector<Branch>& branches) const;

  std::string cannot_add_terms(const Operation& sum, const std::vector<size_t>& terms,
                               const std::vector<Branch>& branches) const;
  std::string block_too_large(const Operation& sum, const std::vector<size_t>& terms,
                              const std::vector<Branch>& branches) const;
  // Of maps from `input` and to `output`.
  std::string cannot_sequence(const LinearShape& first, int input, const LinearShape& second,
                              int output) const;
  std::string sequence_too_large(const Operation& first, const Operation& second) const;
  // Of the terms as they are, and of the one layer.
  std::pair<Cost, Cost> block_costs(const Operation& sum, const std::vector<size_t>& terms,
                                    const std::vector<Branch>& branches) const;
  static double growth(const Cost& before, const Cost& after);  // how many times the cost
  std::string too_large(const Cost& before, const Cost& after, int output) const;
  std::array<int64_t, 2> extents(int value) const;
  Cost cost(const LinearExpression& linear, int output) const;
  Cost cost(const LinearShape& shape, int output) const;
  void erase(std::vector<size_t> operations);
  const LayerSpec& spec(int node) const { return graph_.nodes[node].spec; }

  const Graph& graph_;
  bool merge_all_;
  std::vector<Value> values_;
  std::vector<Operation> operations_;
};

}  // namespace orepa
