#include "reparam/merge.h"

#include <algorithm>
#include <cmath>

#include "graph/graph.h"
#include "orepa/error.h"

namespace orepa {
namespace {

bool is_convolution(const LayerSpec& spec) {
  return spec.type == "Convolution" || spec.type == "ORepaConv";
}

double largest(const std::vector<double>& values) {
  double most = 0;
  for (const double value : values) most = std::max(most, std::fabs(value));
  return most;
}

class Merger {
 public:
  Merger(const NetParameter& net, const Parameters& parameters)
      : net_(net),
        parameters_(parameters),
        spec_(net),
        graph_(build_graph(spec_, {Phase::kTest, 0, {}})),
        absorbed_(graph_.nodes.size(), false) {}

  MergedNet run() {
    merged_.net = net_;
    merged_.net.clear_layer();
    for (int n = 0; n < static_cast<int>(graph_.nodes.size()); ++n) {
      if (absorbed_[n]) continue;
      const LayerSpec& spec = graph_.nodes[n].spec;
      LayerParameter layer;
      layer.CopyFrom(*spec.options.proto());
      if (is_convolution(spec))
        merge_convolution(n, layer);
      else
        copy_values(spec.name);
      *merged_.net.add_layer() = std::move(layer);
    }
    return std::move(merged_);
  }

 private:
  std::vector<double> read(const std::string& layer, const std::string& name) const {
    const Parameter* parameter = parameters_.find(layer, name);
    require(parameter != nullptr, "layer \"", layer, "\" has no parameter \"", name, "\"");
    const std::vector<float> values = parameters_.read(*parameter);
    return {values.begin(), values.end()};
  }

  void copy_values(const std::string& layer) {
    for (const auto& parameter : parameters_.all())
      if (parameter->layer == layer)
        merged_.values[parameter->path()] = parameters_.read(*parameter);
  }

  // The only reader of the node's top, if it is of that type.
  int follower(int n, const std::string& type) const {
    const std::vector<int>& readers = graph_.values[graph_.nodes[n].outputs[0]].consumers;
    if (readers.size() != 1 || graph_.nodes[readers[0]].spec.type != type) return -1;
    return graph_.nodes[readers[0]].inputs.size() == 1 ? readers[0] : -1;
  }

  void merge_convolution(int n, LayerParameter& layer) {
    const LayerSpec& spec = graph_.nodes[n].spec;
    ConvolutionParameter& convolution = *layer.mutable_convolution_param();
    std::vector<double> kernel = read(spec.name, "weight");
    std::vector<double> bias(convolution.num_output(), 0.0);
    bool has_bias = convolution.bias_term();
    if (has_bias) bias = read(spec.name, "bias");
    MergedNet::Row row{spec.name, spec.type, "", largest(kernel), 0};

    int last = n;
    const int norm = follower(n, "BatchNorm");
    if (norm >= 0 && uses_running_statistics(graph_.nodes[norm].spec)) {
      last = norm;
      const int scale = follower(norm, "Scale");
      const bool affine = scale >= 0 && is_channel_scale(graph_.nodes[scale].spec);
      if (affine) last = scale;
      fold(graph_.nodes[norm].spec, affine ? &graph_.nodes[scale].spec : nullptr, kernel, bias);
      has_bias = true;
      row.parts += affine ? " + BatchNorm + Scale" : " + BatchNorm";
      absorbed_[norm] = true;
      if (affine) absorbed_[scale] = true;
    }
    layer.set_type("Convolution");
    layer.clear_orepa_param();
    convolution.clear_weight_filler();
    convolution.clear_bias_filler();
    convolution.clear_engine();
    convolution.set_bias_term(has_bias);
    layer.set_top(0, graph_.values[graph_.nodes[last].outputs[0]].name);
    merged_.values[spec.name + "/weight"] = {kernel.begin(), kernel.end()};
    if (has_bias) merged_.values[spec.name + "/bias"] = {bias.begin(), bias.end()};
    row.top = layer.top(0);
    row.largest_after = largest(kernel);
    if (last != n || spec.type == "ORepaConv") merged_.rows.push_back(std::move(row));
  }

  static bool uses_running_statistics(const LayerSpec& norm) {
    const Options options = norm.options.message("batch_norm_param");
    return !options.has("use_global_stats") || options.flag("use_global_stats");
  }
  static bool is_channel_scale(const LayerSpec& scale) {
    const Options options = scale.options.message("scale_param");
    return options.integer("axis") == 1 && options.integer("num_axes") == 1;
  }

  void fold(const LayerSpec& norm, const LayerSpec* affine, std::vector<double>& kernel,
            std::vector<double>& bias) const {
    const std::vector<double> mean = read(norm.name, "mean"),
                              variance = read(norm.name, "variance");
    const double eps = norm.options.message("batch_norm_param").number("eps");
    const size_t outputs = bias.size(), each = kernel.size() / outputs;
    std::vector<double> scale(outputs, 1.0), shift(outputs, 0.0);
    if (affine != nullptr) {
      scale = read(affine->name, "scale");
      if (affine->options.message("scale_param").flag("bias_term"))
        shift = read(affine->name, "bias");
    }
    for (size_t o = 0; o < outputs; ++o) {
      const double factor = scale[o] / std::sqrt(variance[o] + eps);
      for (size_t i = o * each; i < (o + 1) * each; ++i) kernel[i] *= factor;
      bias[o] = shift[o] + (bias[o] - mean[o]) * factor;
    }
  }

  const NetParameter& net_;
  const Parameters& parameters_;
  NetSpec spec_;
  Graph graph_;
  std::vector<bool> absorbed_;
  MergedNet merged_;
};

}  // namespace

MergedNet merge(const NetParameter& net, const Parameters& parameters) {
  return Merger(net, parameters).run();
}

}  // namespace orepa
