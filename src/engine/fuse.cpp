#include "engine/fuse.h"

#include <algorithm>

namespace orepa {
namespace {

bool is_plain_relu(const LayerSpec& spec) {
  return spec.type == "ReLU" && spec.options.message("relu_param").number("negative_slope") == 0;
}

class Fusion {
 public:
  Fusion(Graph& graph, bool backward, const std::vector<std::string>& keep)
      : graph_(graph), removed_(graph.nodes.size(), false) {
    for (const std::string& blob : keep) {
      kept_.push_back(graph.find(blob));
      if (backward) kept_.push_back(graph.first(blob));
    }
  }

  bool removed(int node) const { return removed_[node]; }

  // The only reader of the node's only output, where nobody else wants that output; else -1.
  int follower(int node) const {
    const std::vector<int>& outputs = graph_.nodes[node].outputs;
    if (outputs.size() != 1) return -1;
    if (std::find(kept_.begin(), kept_.end(), outputs[0]) != kept_.end()) return -1;
    const std::vector<int>& consumers = graph_.values[outputs[0]].consumers;
    if (consumers.size() != 1 || graph_.nodes[node].spec.options.has("loss_weight")) return -1;
    const Node& reader = graph_.nodes[consumers[0]];
    const bool plain = reader.outputs.size() == 1 && !reader.spec.options.has("loss_weight") &&
                       !reader.spec.options.has("propagate_down");
    return plain ? consumers[0] : -1;
  }

  void absorb(int node, int follower) {
    graph_.nodes[node].absorbed.push_back(graph_.nodes[follower].spec);
    graph_.nodes[node].outputs = graph_.nodes[follower].outputs;
    graph_.values[graph_.nodes[node].outputs[0]].producer = node;
    removed_[follower] = true;
  }

  // Renumbers what is left: absorbed nodes and the values between fused layers exist no more.
  void finish() {
    const std::vector<int> nodes = keep_if(graph_.nodes, [&](int n) { return !removed_[n]; });
    std::vector<bool> made(graph_.values.size(), false);
    for (const Node& node : graph_.nodes)
      for (const int v : node.outputs) made[v] = true;
    const std::vector<int> values = keep_if(graph_.values, [&](int v) { return made[v]; });
    for (Value& value : graph_.values) {
      value.producer = nodes[value.producer];
      for (int& consumer : value.consumers) consumer = nodes[consumer];
    }
    for (Node& node : graph_.nodes) {
      for (int& v : node.inputs) v = values[v];
      for (int& v : node.outputs) v = values[v];
    }
  }

 private:
  // Drops the entries that fail `wanted`; returns the new index of each old one, -1 where dropped.
  template <class T, class Wanted>
  static std::vector<int> keep_if(std::vector<T>& entries, Wanted wanted) {
    std::vector<int> renumbered(entries.size(), -1);
    std::vector<T> kept;
    for (size_t i = 0; i < entries.size(); ++i) {
      if (!wanted(static_cast<int>(i))) continue;
      renumbered[i] = static_cast<int>(kept.size());
      kept.push_back(std::move(entries[i]));
    }
    entries = std::move(kept);
    return renumbered;
  }

  Graph& graph_;
  std::vector<int> kept_;
  std::vector<bool> removed_;
};

}  // namespace

bool is_channel_scale(const Node& node) {
  if (node.spec.type != "Scale" || node.inputs.size() != 1) return false;
  const Options scale = node.spec.options.message("scale_param");
  return scale.integer("axis") == 1 && scale.integer("num_axes") == 1;
}

void fuse(Graph& graph, bool backward, const std::vector<std::string>& keep) {
  Fusion fusion(graph, backward, keep);
  for (int n = 0; n < static_cast<int>(graph.nodes.size()); ++n) {
    if (fusion.removed(n)) continue;
    const std::string type = graph.nodes[n].spec.type;
    const bool batch_norm = type == "BatchNorm";
    const bool convolution = type == "Convolution" || type == "ORepaConv";
    if (batch_norm) {
      const int scale = fusion.follower(n);
      if (scale >= 0 && is_channel_scale(graph.nodes[scale])) fusion.absorb(n, scale);
    }
    if (batch_norm || type == "Eltwise" || (convolution && !backward)) {
      const int relu = fusion.follower(n);
      if (relu >= 0 && is_plain_relu(graph.nodes[relu].spec)) fusion.absorb(n, relu);
    }
  }
  fusion.finish();
}

}  // namespace orepa
