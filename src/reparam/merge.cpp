#include "reparam/merge.h"

#include <algorithm>
#include <numeric>
#include <set>

#include "engine/graph.h"
#include "orepa/error.h"
#include "reparam/blob_names.h"
#include "reparam/equality.h"
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
  convolution.set_bias_term(map.biased);
  if (map.groups != 1) convolution.set_group(static_cast<uint32_t>(map.groups));
  const auto set = [&](auto member, int64_t absent, auto add) {
    const int64_t height = map.axes[0].*member, width = map.axes[1].*member;
    if (height == width && width == absent) return;
    add(static_cast<uint32_t>(height));
    if (height != width) add(static_cast<uint32_t>(width));
  };
  using Axis = LinearShape::Axis;
  set(&Axis::pad, 0, [&](uint32_t v) { convolution.add_pad(v); });
  set(&Axis::size, 0, [&](uint32_t v) { convolution.add_kernel_size(v); });
  set(&Axis::stride, 1, [&](uint32_t v) { convolution.add_stride(v); });
  set(&Axis::dilation, 1, [&](uint32_t v) { convolution.add_dilation(v); });
  return convolution;
}

// A Dropout whose top is an output by that name, or one beside other readers of its bottom.
bool makes_output(const Graph& graph, const Node& node) {
  if (!graph.values[node.outputs[0]].consumers.empty()) return false;
  const Value& bottom = graph.values[node.inputs[0]];
  return bottom.consumers.size() > 1 || bottom.name != graph.values[node.outputs[0]].name ||
         graph.nodes[bottom.producer].spec.type == "Dropout";
}

// Dropout does nothing in phase TEST: what reads it reads its bottom.
Graph without_dropouts(Graph graph) {
  std::vector<bool> goes;
  for (const Node& node : graph.nodes)
    goes.push_back(node.spec.type == "Dropout" && !makes_output(graph, node));
  std::vector<int> stands_for(graph.values.size()), position(graph.nodes.size(), -1);
  std::iota(stands_for.begin(), stands_for.end(), 0);
  std::vector<Node> kept;
  for (size_t n = 0; n < graph.nodes.size(); ++n) {
    Node& node = graph.nodes[n];
    for (int& input : node.inputs) input = stands_for[input];
    if (goes[n]) {
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

// Whether stock readers compute it right where its top is its bottom.
bool works_in_place(const std::string& type) {
  static const std::set<std::string> types = {
      "BNLL",  "BatchNorm", "Bias",  "Clip",  "Dropout", "ELU",     "Exp",   "Log",  "PReLU",
      "Power", "ReLU",      "ReLU6", "Scale", "Sigmoid", "Softmax", "Swish", "TanH", "Threshold"};
  return types.contains(type);
}

class Merger {
 public:
  Merger(const NetParameter& net, const Parameters& parameters,
         const std::function<Shape(const std::string&)>& shape_of, bool merge_all)
      : net_(net),
        parameters_(parameters),
        spec_(net),
        graph_(without_dropouts(build_graph(spec_, {Phase::kTest, 0, {}}))),
        linear_(graph_, shape_of, merge_all) {}

  MergedNet run() {
    for (const Operation& operation : linear_.operations()) write(operation);
    name_blobs();
    merged_.net = net_;
    merged_.net.clear_layer();
    for (size_t i = 0; i < written_.size(); ++i) {
      if (node_of_[i] >= 0)
        keep(written_[i], graph_.nodes[node_of_[i]].spec);
      else if (operation_of_[i]->kind == Operation::Kind::kSum)
        keep_sum(written_[i], *operation_of_[i]);
      else
        add_layer(written_[i], operation_of_[i]->linear);
    }
    for (const LinearGraph::Left& left : linear_.left()) {
      const LayerSpec& spec = graph_.nodes[left.node].spec;
      merged_.left.push_back({spec.name, spec.type, left.reason});
    }
    return std::move(merged_);
  }

 private:
  // BatchNorm and Scale alone stay what they are, and so does every single layer that stock readers
  // know.
  bool is_merged(const LinearExpression& linear) const {
    if (linear.kind != LinearExpression::Kind::kLayer) return !linear.is_normalisation(graph_);
    const std::string& type = graph_.nodes[linear.node].spec.type;
    return type == "ORepaConv" || type == "BatchNormPad";
  }

  void write(const Operation& operation) {
    const bool linear = operation.kind == Operation::Kind::kLinear;
    if (operation.kind == Operation::Kind::kSum || (linear && is_merged(operation.linear))) {
      const int named = linear ? operation.linear.named(graph_) : operation.node;
      written_.push_back(
          {graph_.nodes[named].spec.name, operation.inputs, operation.outputs, false});
      node_of_.push_back(-1);
      operation_of_.push_back(&operation);
      return;
    }
    for (const int n : linear ? operation.linear.layers() : std::vector<int>{operation.node}) {
      const Node& node = graph_.nodes[n];
      written_.push_back(
          {node.spec.name, node.inputs, node.outputs, works_in_place(node.spec.type)});
      node_of_.push_back(n);
      operation_of_.push_back(&operation);
    }
  }

  void name_blobs() {
    for (const LinearGraph::Value& value : linear_.values())
      names_.push_back(value.partial ? value.blob + "_part" : value.blob);
    names_ = blob_names(written_, names_);
    for (const WrittenLayer& layer : written_)
      for (size_t top = 0; top < layer.writes.size(); ++top) {
        const int value = layer.writes[top];
        const LinearGraph::Value& original = linear_.values()[value];
        if (names_[value] != original.blob) merged_.original_names[names_[value]] = original.blob;
        if (!original.partial)
          merged_.original_values[value_name(layer.name, static_cast<int>(top))] =
              original_value(value);
      }
  }

  std::string original_value(int value) const {
    const Node& node = graph_.nodes[graph_.values[value].producer];
    const auto top = std::find(node.outputs.begin(), node.outputs.end(), value);
    return value_name(node.spec.name, static_cast<int>(top - node.outputs.begin()));
  }

  // The layer as it is, reading and writing under the names that blobs have now.
  void keep(const WrittenLayer& written, const LayerSpec& spec) {
    LayerParameter& layer = *merged_.net.add_layer();
    layer.CopyFrom(*spec.options.proto());
    connect(layer, written);
    if (layer.has_convolution_param()) {
      layer.mutable_convolution_param()->clear_weight_filler();
      layer.mutable_convolution_param()->clear_bias_filler();
      layer.mutable_convolution_param()->clear_engine();
    }
    for (const Parameters::Place& place : parameters_.places())
      if (place.layer == spec.name)
        merged_.values[place.path()] = parameters_.read(*place.parameter);
  }

  void keep_sum(const WrittenLayer& written, const Operation& operation) {
    LayerParameter& layer = *merged_.net.add_layer();
    layer.CopyFrom(*graph_.nodes[operation.node].spec.options.proto());
    connect(layer, written);
    EltwiseParameter& sum = *layer.mutable_eltwise_param();
    sum.clear_coeff();
    const std::vector<double>& factors = operation.factors;
    if (std::any_of(factors.begin(), factors.end(), [](double f) { return f != 1; }))
      for (const double factor : factors) sum.add_coeff(static_cast<float>(factor));
    if (sum.ByteSizeLong() == 0) layer.clear_eltwise_param();
  }

  void add_layer(const WrittenLayer& written, const LinearExpression& linear) {
    const LinearValue value = evaluate(linear, graph_, parameters_);
    LayerParameter& layer = *merged_.net.add_layer();
    layer.set_name(written.name);
    connect(layer, written);
    if (linear_.values()[written.writes[0]].shape.rank() == 4) {
      layer.set_type("Convolution");
      *layer.mutable_convolution_param() = convolution_of(value.map);
    } else {
      layer.set_type("InnerProduct");
      layer.mutable_inner_product_param()->set_num_output(static_cast<uint32_t>(value.map.outputs));
      if (!value.map.biased) layer.mutable_inner_product_param()->set_bias_term(false);
    }
    merged_.values[written.name + "/weight"] = caffe_order(value.map);
    if (value.map.biased)
      merged_.values[written.name + "/bias"] = {value.map.bias.begin(), value.map.bias.end()};

    ConvertReport::Row row;
    row.layer = written.name;
    row.parts = linear.parts_text(graph_);
    row.top = layer.top(0);
    row.before = value.weights;
    row.after.include(value.map.kernel);
    row.branches = value.branches;
    merged_.rows.push_back(std::move(row));
  }

  void connect(LayerParameter& layer, const WrittenLayer& written) const {
    layer.clear_bottom();
    layer.clear_top();
    for (const int value : written.reads) layer.add_bottom(names_[value]);
    for (const int value : written.writes) layer.add_top(names_[value]);
  }

  const NetParameter& net_;
  const Parameters& parameters_;
  NetSpec spec_;
  Graph graph_;
  LinearGraph linear_;
  // The layers to write, in order; what each is: a node that stays, or else an operation.
  std::vector<WrittenLayer> written_;
  std::vector<int> node_of_;
  std::vector<const Operation*> operation_of_;
  std::vector<std::string> names_;  // of the values
  MergedNet merged_;
};

}  // namespace

MergedNet merge(const NetParameter& net, const Parameters& parameters,
                const std::function<Shape(const std::string&)>& shape_of, bool merge_all) {
  return Merger(net, parameters, shape_of, merge_all).run();
}

}  // namespace orepa
