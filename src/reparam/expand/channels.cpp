#include "reparam/expand/channels.h"

#include <map>
#include <set>

#include "orepa.pb.h"
#include "orepa/model.h"

namespace orepa {
namespace {

// Shapes of the tops of a layer without bottoms.
std::vector<Shape> source_shapes(const LayerSpec& layer, Phase phase) {
  NetParameter net;
  net.add_layer()->CopyFrom(*layer.options.proto());
  net.mutable_layer(0)->clear_include();
  net.mutable_layer(0)->clear_exclude();
  const std::unique_ptr<Device> device = make_device("cpu");
  NetOptions options;
  options.phase = phase;
  options.batch_size = 1;
  options.precision = DType::kFloat32;
  options.allocate = false;
  const Model source(NetSpec(net), *device, options);
  std::vector<Shape> shapes;
  for (const std::string& top : layer.options.strings("top"))
    shapes.push_back(source.net.shape(top));
  return shapes;
}

// Of each output; `inputs` are those of the inputs. Layers of other programs are no obstacle where
// Caffe says what becomes of channels.
int64_t channels_of(const LayerSpec& layer, const std::vector<int64_t>& inputs) {
  static const std::set<std::string> keep = {"AbsVal", "Bias",  "BNLL",     "Clip", "ELU",
                                             "Exp",    "LRN",   "Log",      "MVN",  "PReLU",
                                             "Power",  "Swish", "Threshold"};
  if (layer_roles(layer.type).channels != nullptr)
    return layer_roles(layer.type).channels(layer, inputs);
  return keep.contains(layer.type) ? inputs[0] : 0;
}

}  // namespace

Channels count_channels(const Graph& graph, const NetSpec& net, Phase phase) {
  Channels channels{std::vector<int64_t>(graph.values.size(), 0), ""};
  std::map<const google::protobuf::Message*, UnknownField> unknown;
  for (const UnknownField& field : net.unknown_fields())
    if (field.layer >= 0) unknown.emplace(&net.proto().layer(field.layer), field);
  for (const Node& node : graph.nodes) {
    if (node.inputs.empty()) {
      try {
        const auto found = unknown.find(node.spec.options.proto());
        if (found != unknown.end()) fail(found->second.where, ": ", found->second.what);
        const std::vector<Shape> shapes = source_shapes(node.spec, phase);
        for (size_t o = 0; o < shapes.size(); ++o)
          channels.of[node.outputs[o]] = shapes[o].rank() > 1 ? shapes[o][1] : 0;
      } catch (const Error& error) {
        channels.unknown = error.what();
      }
      continue;
    }
    std::vector<int64_t> inputs;
    for (const int v : node.inputs) inputs.push_back(channels.of[v]);
    for (const int v : node.outputs) channels.of[v] = channels_of(node.spec, inputs);
  }
  return channels;
}

}  // namespace orepa
