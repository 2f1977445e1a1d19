// Graph: the layers of one phase in order, with blobs in single assignment: an in-place layer makes
// a new value of the same name, so a value is written once, by one node.
#pragma once
#include <string>
#include <vector>

#include "core/error_list.h"
#include "orepa/layer.h"
#include "orepa/model_io.h"

namespace orepa {

struct Node {
  LayerSpec spec;
  std::vector<LayerSpec> absorbed;   // later layers that this node computes as well, in order
  std::vector<int> inputs, outputs;  // indices into Graph::values
  bool faulty = false;  // whether an error of it was found, and some of its values may be missing
};

struct Value {
  std::string name;            // of the blob
  int producer = -1;           // node
  std::vector<int> consumers;  // nodes, one entry a use
};

struct Graph {
  std::vector<Node> nodes;  // producers before consumers
  std::vector<Value> values;

  // The last value of that name, which is what readers of the blob see; -1 if there is none.
  int find(const std::string& blob) const;
  // The first one, which layers in place write over: what the blob's gradient is of; -1 likewise.
  int first(const std::string& blob) const;
  std::vector<std::string> blobs() const;  // every name once, in order of first assignment
};

struct LayerFilter {
  Phase phase = Phase::kTest;
  int level = 0;
  std::vector<std::string> stages;
};

// The filter with the level and the stages that the net's own `state` adds; a level other than 0
// wins over the state's.
LayerFilter with_state(LayerFilter filter, const NetSpec& net);

// Whether Caffe's include and exclude rules keep this layer under that filter; where both are
// given, which is an error of the graph, the former.
bool included(const LayerSpec& spec, const LayerFilter& filter);

// Adds errors with file, line and column: a bottom that no earlier layer makes (with the nearest
// name), a top that another layer makes already, two layers of one name. Throws Error where no
// layer is left, or too many are.
Graph build_graph(const NetSpec& net, const LayerFilter& filter, ErrorList& errors);
// Throws them.
Graph build_graph(const NetSpec& net, const LayerFilter& filter);

}  // namespace orepa
