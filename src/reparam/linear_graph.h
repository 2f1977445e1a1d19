// LinearGraph: the layers of a TEST graph as operations, of which linear ones are merged wherever
// that is exact: one behind the other, and side by side where branches start at one value and are
// added. Found from the graph alone, in any nesting; names play no part.
//
// linear_graph.cpp has the walk and the chains, linear_graph_sums.cpp the branches, and
// linear_graph_left.cpp what stays.
#pragma once
#include <functional>
#include <map>

#include "orepa/convert.h"
#include "reparam/linear_layers.h"

namespace orepa {

struct Operation {
  enum class Kind { kOther, kLinear, kSum };
  struct Cost {
    int64_t macs = 0;     // multiply-accumulates of one forward pass
    int64_t weights = 0;  // numbers of kernels
    Cost operator+(const Cost& other) const { return {macs + other.macs, weights + other.weights}; }
  };
  // Where two convolutions were chained.
  struct Joint {
    int second;          // the node at which the second began
    Cost before, after;  // of the two, and of the one
  };

  Kind kind = Kind::kOther;
  std::vector<int> inputs, outputs;  // of Graph::values
  std::vector<int> nodes;            // of Graph::nodes, those that it stands for, in order
  int named = 0;                     // the node whose name it has
  LinearMap map;                     // kLinear
  std::vector<double> factors;       // kSum: one an input
  Cost cost;                         // of its parts
  std::vector<Joint> joints;         // between its parts
  std::vector<Joint> inner_joints;   // inside of branches
  bool partial = false;              // some terms of a sum: its output is no blob of the net
  std::string parts;                 // "ORepaConv + BatchNorm", "4 branches"
  std::vector<ConvertReport::Branch> branches;  // of sums in it
  WeightRange weights;                          // of the kernels of its parts
};

class LinearGraph {
 public:
  struct Left {
    int node;
    std::string reason;
  };

  // One convolution may cost at most `most_growth` times what it replaces, in multiply-accumulates
  // and in weights; else that stays (a depthwise convolution and a pointwise one are cheaper as
  // two, a convolution and a pool smaller).
  // Branches that are added count as the convolution that they make, so that what becomes of a
  // block's neighbours does not depend on the block.
  LinearGraph(const Graph& graph, const Parameters& parameters,
              const std::function<Shape(const std::string&)>& shape_of, double most_growth);

  const std::vector<Operation>& operations() const { return operations_; }
  // Linear layers that stay although one would want them merged, and why.
  std::vector<Left> left() const;

 private:
  void build();
  bool simplify();  // one walk; whether anything changed
  bool merge_chain(size_t second);
  bool flatten_sum(size_t sum);
  bool merge_branches(size_t sum);
  void merge_terms(size_t sum, const std::vector<size_t>& terms);
  bool give_up_on_growth();

  int uses(int value) const;
  int producer(int value) const;  // an operation
  // The linear operation that makes this value for one reader; else -1.
  int private_producer(int value) const;
  int root(int value) const;  // where a term of a sum starts
  // Inputs of a sum by the value that they start at.
  std::map<int, std::vector<size_t>> terms_by_root(const Operation& sum) const;
  std::string cannot_add_terms(const Operation& sum, const std::vector<size_t>& terms) const;
  LinearMap map_of(int value) const;  // of a term: its operation's, or the identity
  bool stays(const Operation& operation) const;
  std::string why_not_chained(const Operation& second) const;
  void erase(const std::vector<size_t>& operations);
  std::array<int64_t, 2> extents(int value) const;
  Operation::Cost cost(const LinearMap& map, int output) const;
  const LayerSpec& spec(int node) const { return graph_.nodes[node].spec; }

  const Graph& graph_;
  const Parameters& parameters_;
  const std::function<Shape(const std::string&)>& shape_of_;
  double most_growth_;
  std::vector<Operation> operations_;  // producers before consumers
  // Why, of what would be too large as one convolution: Joint::second of chains, nodes of sums.
  std::map<int, std::string> apart_, stay_;
};

}  // namespace orepa
