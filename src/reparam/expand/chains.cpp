#include "reparam/expand/chains.h"

#include <tuple>

#include "engine/fuse.h"
#include "layers/window.h"
#include "orepa/error.h"
#include "reparam/expand/channels.h"

namespace orepa {
namespace {

const LayerParameter* proto(const Options& options) {
  return static_cast<const LayerParameter*>(options.proto());
}

const LayerParameter* proto(const Node* node) {
  return node == nullptr ? nullptr : proto(node->spec.options);
}

// The only reader of the node's only top, if it is of that type; else null.
const Node* follower(const Graph& graph, const Node& node, const std::string& type) {
  if (node.outputs.size() != 1) return nullptr;
  const std::vector<int>& readers = graph.values[node.outputs[0]].consumers;
  if (readers.size() != 1) return nullptr;
  const Node& reader = graph.nodes[readers[0]];
  const bool alone = reader.inputs.size() == 1 && reader.outputs.size() == 1;
  return alone && reader.spec.type == type ? &reader : nullptr;
}

Chain read_convolution(const Options& options) {
  const LayerSpec spec{options.string("name"), options.string("type"), options};
  const Options convolution = options.message("convolution_param");
  Chain chain;
  chain.convolution = proto(options);
  chain.outputs = convolution.integer("num_output");
  chain.groups = convolution.integer("group");
  chain.planar = is_planar(convolution);
  if (!chain.planar) return chain;
  chain.kernel = read_pair(spec, convolution, "kernel_size", "kernel", 0);
  chain.stride = read_pair(spec, convolution, "stride", "stride", 1);
  chain.pad = read_pair(spec, convolution, "pad", "pad", 0);
  chain.dilation = read_pair(spec, convolution, "dilation", "", 1);
  return chain;
}

void look_behind(Chain& chain, const Graph& graph, const Node& node) {
  const Node* norm = follower(graph, node, "BatchNorm");
  const Node* scale = norm == nullptr ? nullptr : follower(graph, *norm, "Scale");
  if (scale != nullptr && !is_channel_scale(*scale)) scale = nullptr;
  const auto found = std::make_pair(proto(norm), proto(scale));
  chain.clear = !chain.seen || (chain.clear && std::make_pair(chain.norm, chain.scale) == found);
  std::tie(chain.norm, chain.scale) = found;
  chain.seen = true;
}

void look_at_phase(std::vector<Chain>& chains, const NetSpec& net, Phase phase) {
  const Graph graph = build_graph(net, {phase, 0, {}});
  const Channels channels = count_channels(graph, net, phase);
  for (const Node& node : graph.nodes)
    for (Chain& chain : chains) {
      if (proto(&node) != chain.convolution || node.inputs.size() != 1) continue;
      look_behind(chain, graph, node);
      if (chain.channels > 0) continue;
      chain.channels = channels.of[node.inputs[0]];
      chain.channels_unknown = channels.unknown;
    }
}

}  // namespace

std::vector<Phase> phases_of(const NetSpec& net) {
  std::vector<Phase> phases;
  std::string error;
  for (const Phase phase : {Phase::kTrain, Phase::kTest}) {
    try {
      build_graph(net, {phase, 0, {}});
      phases.push_back(phase);
    } catch (const Error& caught) {
      error = caught.what();
    }
  }
  require(!phases.empty(), error);
  return phases;
}

std::vector<Chain> find_chains(const NetSpec& net) {
  std::vector<Chain> chains;
  for (const Options& options : net.layers())
    if (options.string("type") == "Convolution") chains.push_back(read_convolution(options));
  for (const Phase phase : phases_of(net)) look_at_phase(chains, net, phase);
  return chains;
}

}  // namespace orepa
