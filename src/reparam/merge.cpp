#include "reparam/merge.h"

#include <algorithm>
#include <numeric>

#include "graph/graph.h"
#include "orepa/error.h"
#include "reparam/linear_graph.h"

namespace orepa {
namespace {

// O x taps x I to O x I x taps.
std::vector<float> caffe_order(const LinearMap& map) {
  const int64_t inputs = map.inputs_per_group(), taps = map.taps();
  std::vector<float> values(map.kernel.size());
  for (int64_t o = 0; o < map.outputs; ++o)
    for (int64_t tap = 0; tap < taps; ++tap)
      for (int64_t i = 0; i < inputs; ++i)
        values[(o * inputs + i) * taps + tap] =
            static_cast<float>(map.kernel[(o * taps + tap) * inputs + i]);
  return values;
}

ConvolutionParameter convolution_of(const LinearMap& map) {
  ConvolutionParameter convolution;
  convolution.set_num_output(static_cast<uint32_t>(map.outputs));
  convolution.set_bias_term(!map.bias.empty());
  if (map.groups != 1) convolution.set_group(static_cast<uint32_t>(map.groups));
  const auto set = [&](auto member, int64_t absent, auto add) {
    const int64_t height = map.axes[0].*member, width = map.axes[1].*member;
    if (height == width && width == absent) return;
    add(static_cast<uint32_t>(height));
    if (height != width) add(static_cast<uint32_t>(width));
  };
  using Axis = LinearMap::Axis;
  set(&Axis::pad, 0, [&](uint32_t v) { convolution.add_pad(v); });
  set(&Axis::size, 0, [&](uint32_t v) { convolution.add_kernel_size(v); });
  set(&Axis::stride, 1, [&](uint32_t v) { convolution.add_stride(v); });
  set(&Axis::dilation, 1, [&](uint32_t v) { convolution.add_dilation(v); });
  return convolution;
}

// Dropout does nothing in phase TEST: what reads it reads its bottom.
Graph without_dropouts(Graph graph) {
  std::vector<int> stands_for(graph.values.size()), position(graph.nodes.size(), -1);
  std::iota(stands_for.begin(), stands_for.end(), 0);
  std::vector<Node> kept;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    for (int& input : node.inputs) input = stands_for[input];
    if (node.spec.type == "Dropout") {
      stands_for[node.outputs[0]] = node.inputs[0];
    } else {
      position[n] = static_cast<int>(kept.size());
      kept.push_back(std::move(node));
    }
  }
  graph.nodes = std::move(kept);
  for (Value& value : graph.values) {
    value.producer = position[value.producer];
    value.consumers.clear();
  }
  for (size_t n = 0; n < graph.nodes.size(); ++n)
    for (const int input : graph.nodes[n].inputs)
      graph.values[input].consumers.push_back(static_cast<int>(n));
  return graph;
}

class Merger {
 public:
  Merger(const NetParameter& net, const Parameters& parameters,
         const std::function<Shape(const std::string&)>& shape_of, double most_growth)
      : net_(net),
        parameters_(parameters),
        spec_(net),
        graph_(without_dropouts(build_graph(spec_, {Phase::kTest, 0, {}}))),
        linear_(graph_, parameters, shape_of, most_growth) {
    for (const Value& value : graph_.values) names_.push_back(value.name);
  }

  MergedNet run() {
    for (const Operation& operation : linear_.operations())
      if (operation.partial) rename(operation.outputs[0], "_part");
    while (separate_names()) {
    }
    merged_.net = net_;
    merged_.net.clear_layer();
    for (const Operation& operation : linear_.operations())
      if (is_merged(operation))
        add_convolution(operation);
      else
        keep(operation);
    for (const LinearGraph::Left& left : linear_.left()) {
      const LayerSpec& spec = graph_.nodes[left.node].spec;
      merged_.left.push_back({spec.name, spec.type, left.reason});
    }
    return std::move(merged_);
  }

 private:
  // BatchNorm and Scale alone stay what they are, and so does every single layer that stock readers
  // know.
  bool is_merged(const Operation& operation) const {
    if (operation.kind != Operation::Kind::kLinear) return false;
    const auto spec = [&](int node) -> const LayerSpec& { return graph_.nodes[node].spec; };
    if (operation.nodes.size() == 1)
      return spec(operation.named).type == "ORepaConv" ||
             spec(operation.named).type == "BatchNormPad";
    return !std::all_of(operation.nodes.begin(), operation.nodes.end(),
                        [&](int node) { return is_normalisation(spec(node)); });
  }

  // A merged convolution stands where its last layer stood. A layer in place may by then have
  // overwritten what it reads: then the older of the two values gets a name of its own.
  bool separate_names() {
    std::map<std::string, int> newest;
    for (const Operation& operation : linear_.operations()) {
      for (const int value : operation.inputs) {
        const int newer = newest[names_[value]];
        if (newer == value) continue;
        const bool source = graph_.nodes[graph_.values[value].producer].inputs.empty();
        const int renamed = source ? newer : value;
        rename(renamed, "_" + graph_.nodes[graph_.values[renamed].producer].spec.name);
        return true;
      }
      for (const int value : values_made(operation)) newest[names_[value]] = value;
    }
    return false;
  }

  void rename(int value, const std::string& ending) {
    merged_.original_names.erase(names_[value]);
    names_[value] += ending;
    merged_.original_names[names_[value]] = graph_.values[value].name;
  }

  // What the layers of an operation write, once it is decided which they are.
  std::vector<int> values_made(const Operation& operation) const {
    if (operation.kind == Operation::Kind::kSum || is_merged(operation)) return operation.outputs;
    std::vector<int> values;
    for (const int node : operation.nodes)
      values.insert(values.end(), graph_.nodes[node].outputs.begin(),
                    graph_.nodes[node].outputs.end());
    return values;
  }

  void add_convolution(const Operation& operation) {
    const LayerSpec& spec = graph_.nodes[operation.named].spec;
    LayerParameter& layer = *merged_.net.add_layer();
    layer.set_name(spec.name);
    layer.set_type("Convolution");
    layer.add_bottom(names_[operation.inputs[0]]);
    layer.add_top(names_[operation.outputs[0]]);
    *layer.mutable_convolution_param() = convolution_of(operation.map);
    merged_.values[spec.name + "/weight"] = caffe_order(operation.map);
    if (!operation.map.bias.empty())
      merged_.values[spec.name + "/bias"] = {operation.map.bias.begin(), operation.map.bias.end()};

    ConvertReport::Row row;
    row.layer = spec.name;
    row.parts = operation.parts;
    row.top = layer.top(0);
    row.before = operation.weights;
    row.after.include(operation.map.kernel);
    row.branches = operation.branches;
    merged_.rows.push_back(std::move(row));
  }

  // The layers as they are, reading and writing under the names that blobs have now.
  void keep(const Operation& operation) {
    if (operation.kind == Operation::Kind::kSum) return keep_sum(operation);
    for (const int n : operation.nodes) {
      const Node& node = graph_.nodes[n];
      LayerParameter& layer = *merged_.net.add_layer();
      layer.CopyFrom(*node.spec.options.proto());
      rename(layer, node.inputs, node.outputs);
      if (layer.has_convolution_param()) {
        layer.mutable_convolution_param()->clear_weight_filler();
        layer.mutable_convolution_param()->clear_bias_filler();
        layer.mutable_convolution_param()->clear_engine();
      }
      copy_values(node.spec.name);
    }
  }

  void keep_sum(const Operation& operation) {
    LayerParameter& layer = *merged_.net.add_layer();
    layer.CopyFrom(*graph_.nodes[operation.named].spec.options.proto());
    rename(layer, operation.inputs, operation.outputs);
    EltwiseParameter& sum = *layer.mutable_eltwise_param();
    sum.clear_coeff();
    const std::vector<double>& factors = operation.factors;
    if (std::any_of(factors.begin(), factors.end(), [](double f) { return f != 1; }))
      for (const double factor : factors) sum.add_coeff(static_cast<float>(factor));
    if (sum.ByteSizeLong() == 0) layer.clear_eltwise_param();
  }

  void rename(LayerParameter& layer, const std::vector<int>& inputs,
              const std::vector<int>& outputs) {
    layer.clear_bottom();
    layer.clear_top();
    for (const int value : inputs) layer.add_bottom(names_[value]);
    for (const int value : outputs) layer.add_top(names_[value]);
  }

  void copy_values(const std::string& layer) {
    for (const auto& parameter : parameters_.all())
      if (parameter->layer == layer)
        merged_.values[parameter->path()] = parameters_.read(*parameter);
  }

  const NetParameter& net_;
  const Parameters& parameters_;
  NetSpec spec_;
  Graph graph_;
  LinearGraph linear_;
  std::vector<std::string> names_;  // of graph_.values
  MergedNet merged_;
};

}  // namespace

MergedNet merge(const NetParameter& net, const Parameters& parameters,
                const std::function<Shape(const std::string&)>& shape_of, double most_growth) {
  return Merger(net, parameters, shape_of, most_growth).run();
}

}  // namespace orepa
