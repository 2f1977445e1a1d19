// LinearExpression: a linear map as layers of a graph in sequence and side by side. Its shape is
// known without a weight being read; evaluate() makes the one map of it, in double.
#pragma once
#include <string>
#include <vector>

#include "engine/graph.h"
#include "orepa/convert.h"
#include "orepa/params.h"
#include "reparam/linear_algebra.h"

namespace orepa {

struct LinearExpression {
  enum class Kind { kIdentity, kLayer, kSequence, kSum };

  Kind kind = Kind::kIdentity;
  LinearShape shape;
  int node = -1;                        // of Graph::nodes: the layer, of a sum the Eltwise
  std::vector<LinearExpression> parts;  // in order, or the terms
  std::vector<double> factors;          // of the terms

  static LinearExpression identity(int64_t channels);
  static LinearExpression layer(int node, const LinearShape& shape);
  static LinearExpression sequence(const LinearExpression& first, const LinearExpression& second);
  static LinearExpression sum(int node, std::vector<LinearExpression> terms,
                              std::vector<double> factors);

  // BatchNorm and Scale alone: nothing that one would write a kernel for.
  bool is_normalisation(const Graph& graph) const;
  // The layer whose name the whole has: the first that is more than a normalisation.
  int named(const Graph& graph) const;
  std::string parts_text(const Graph& graph) const;  // "ORepaConv + BatchNorm", "4 branches"
  std::vector<int> layers() const;                   // in order; of a sequence of layers
};

struct LinearValue {
  LinearMap map;
  WeightRange weights;                          // of the kernels of its layers
  std::vector<ConvertReport::Branch> branches;  // of the sums in the sequence
};

LinearValue evaluate(const LinearExpression& expression, const Graph& graph,
                     const Parameters& parameters);

}  // namespace orepa
