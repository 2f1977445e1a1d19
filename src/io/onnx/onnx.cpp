#include "io/onnx/onnx.h"

#include "engine/graph.h"
#include "io/onnx/onnx_model.h"
#include "orepa.pb.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// Inputs and the last values of blobs are called after their blobs; what an in-place layer replaces
// is called "BLOB@LAYER" after the layer that makes it.
std::vector<std::string> names_of_values(const Graph& graph, OnnxModel& model) {
  std::vector<std::string> names(graph.values.size());
  const auto is_input = [&](const Value& value) {
    return graph.nodes[value.producer].spec.type == "Input";
  };
  for (size_t v = 0; v < names.size(); ++v)
    if (is_input(graph.values[v])) names[v] = model.new_name(graph.values[v].name);
  for (const std::string& blob : graph.blobs())
    if (std::string& name = names[graph.find(blob)]; name.empty()) name = model.new_name(blob);
  for (size_t v = 0; v < names.size(); ++v)
    if (names[v].empty())
      names[v] = model.new_name(
          text(graph.values[v].name, "@", graph.nodes[graph.values[v].producer].spec.name));
  return names;
}

void require_in_onnx(const LayerSpec& spec) {
  if (layer_roles(spec.type).onnx != nullptr) return;
  std::string known;
  for (const LayerType& type : layer_types())
    if (type.roles.onnx != nullptr) known += (known.empty() ? "" : ", ") + type.name;
  fail(spec.where("type"), "cannot be written as ONNX, where a net for use is made of ", known,
       "; leave the layer out of phase TEST (include { phase: TRAIN })");
}

}  // namespace

void write_onnx(const std::string& path, const NetSpec& net, const Parameters& parameters,
                const std::function<Shape(const std::string&)>& shape_of) {
  const Graph graph = build_graph(net, {Phase::kTest, 0, {}});
  OnnxModel model(net.proto().has_name() ? net.proto().name() : "net");
  const std::vector<std::string> names = names_of_values(graph, model);
  const auto shape = [&](int value) { return shape_of(graph.values[value].name); };
  for (const Node& node : graph.nodes) {
    if (node.spec.type == "Input") {
      for (const int value : node.outputs) model.add_input(names[value], shape(value));
      continue;
    }
    OnnxLayer layer(node.spec, parameters, model);
    for (const int value : node.inputs) {
      layer.inputs.push_back(names[value]);
      layer.input_shapes.push_back(shape(value));
    }
    for (const int value : node.outputs) {
      layer.outputs.push_back(names[value]);
      layer.output_shapes.push_back(shape(value));
    }
    if (!node.outputs.empty()) layer.output_shape = layer.output_shapes[0];
    require_in_onnx(node.spec);
    layer_roles(node.spec.type).onnx(layer);
    for (size_t o = 0; o < node.outputs.size(); ++o)
      if (graph.values[node.outputs[o]].consumers.empty())
        model.add_output(layer.outputs[o], layer.output_shapes[o]);
  }
  model.save(path);
}

}  // namespace orepa
