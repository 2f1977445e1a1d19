#include "io/published/published_tensors.h"

#include <algorithm>
#include <map>

#include "io/published/published_kernels.h"
#include "orepa/error.h"

namespace orepa {
namespace {

using Layers = std::map<std::string, Options>;

Layers by_name(const NetSpec& net) {
  Layers layers;
  for (const Options& layer : net.layers()) layers.emplace(layer.string("name"), layer);
  return layers;
}

// What stands in front of the last dot: the module that owns this one.
std::string parent(const std::string& name) {
  const size_t dot = name.rfind('.');
  return dot == std::string::npos ? "" : name.substr(0, dot);
}

bool is_called(const std::string& module, const std::string& name) {
  return module == name || module.ends_with("." + name);
}

// What deploy forms call the one convolution of a block.
const std::vector<std::string> kMerged = {"conv",        "orepa_reparam", "or1x1_reparam",
                                          "dbb_reparam", "rbr_reparam",   "or_large_reparam"};

// Which of them it is where the block `name` stands in the training net.
std::string merged_name(const Layers& trained, const std::string& name) {
  if (trained.contains(name + ".dbb_origin")) return "dbb_reparam";
  if (trained.contains(name + ".rbr_dense")) return "rbr_reparam";
  const auto found = trained.find(name);
  if (found == trained.end() || found->second.string("type") != "ORepaConv") return "conv";
  static const std::map<std::string, std::string> by_preset = {{"OREPA", "orepa_reparam"},
                                                               {"OREPA_1X1", "or1x1_reparam"},
                                                               {"OREPA_LARGE", "or_large_reparam"},
                                                               {"LARGE_BASE", "or_large_reparam"}};
  const Options block = found->second.message("orepa_param");
  const auto preset =
      block.has("preset") ? by_preset.find(block.choice("preset")) : by_preset.end();
  require(preset != by_preset.end(), block.where(), ": layer \"", name,
          "\" is no published block: one has the preset OREPA, OREPA_1X1, OREPA_LARGE or "
          "LARGE_BASE");
  return preset->second;
}

// Collects the tensors of one net, layer by layer.
class Collector {
 public:
  Collector(const NetSpec& net, const NetSpec* trained) : layers_(by_name(net)) {
    if (trained != nullptr) trained_ = by_name(*trained);
    std::map<std::string, std::string> makers;  // of each blob: the last so far
    for (const Options& layer : net.layers()) {
      const std::string name = layer.string("name");
      if (layer.size("bottom") == 1) before_[name] = makers[layer.strings("bottom")[0]];
      for (const std::string& top : layer.strings("top")) makers[top] = name;
    }
  }

  void add(const std::string& layer, const std::vector<Parameter*>& parameters) {
    const Options& options = layers_.at(layer);
    const std::string type = options.string("type");
    if (type == "Convolution" && before_[layer] == layer + "_stride1")
      add_strided_identity(*parameters[0]);
    else if (type == "Convolution")
      add_convolution(layer, parameters);
    else if (type == "InnerProduct")
      add_inner_product(layer, options, parameters);
    else if (type == "BatchNorm")
      add_batch_norm(layer, parameters);
    else if (type == "BatchNormPad")
      add_batch_norm(layer + ".bn", parameters);
    else if (type == "Scale" && is_batch_norm(before_[layer]))
      add_batch_norm(before_[layer], parameters);
    else if (type == "ORepaConv")
      for (PublishedTensor& tensor : kernel_tensors(options, parameters))
        tensors.push_back(std::move(tensor));
    else
      refuse_layer(options, type == "Scale" ? " (no BatchNorm in front)" : "");
  }

  std::vector<PublishedTensor> tensors;

 private:
  void add_parameter(const std::string& name, Parameter* parameter) {
    tensors.push_back(PublishedTensor::of(name, parameter));
  }

  bool is_batch_norm(const std::string& layer) const {
    const auto found = layers_.find(layer);
    return found != layers_.end() && found->second.string("type") == "BatchNorm";
  }

  // What convert() puts behind a pool that rounds down (src/reparam/portable_pools.h); a published
  // net has the pool alone.
  void add_strided_identity(Parameter& weight) {
    add_parameter("", &weight);
    tensors.back().constant.assign(static_cast<size_t>(weight.value.count()), 1.0f);
  }

  // A Conv-BN has its convolution as a module `conv`; those in the sequence of a DBB are what they
  // are called.
  void add_convolution(const std::string& layer, const std::vector<Parameter*>& parameters) {
    const bool bare = is_called(parent(layer), "dbb_1x1_kxk");
    const bool merged = !bare && parameters.size() == 2;
    const std::string own = merged ? merged_name(trained_, layer) : "conv";
    for (Parameter* parameter : parameters) {
      add_parameter(layer + (bare ? "." : "." + own + ".") + parameter->name, parameter);
      for (const std::string& other : merged ? kMerged : std::vector<std::string>{})
        if (other != own)
          tensors.back().other_names.push_back(layer + "." + other + "." + parameter->name);
    }
  }

  void add_inner_product(const std::string& layer, const Options& options,
                         const std::vector<Parameter*>& parameters) {
    if (options.message("inner_product_param").flag("transpose"))
      refuse_layer(options, ": its weight is transposed");
    for (Parameter* parameter : parameters) {
      add_parameter(layer + "." + parameter->name, parameter);
      // Squeeze-and-excitation is made of 1 x 1 convolutions there.
      Shape& shape = tensors.back().shape;
      if (is_called(parent(layer), "se") && shape.rank() == 2) shape = {shape[0], shape[1], 1, 1};
    }
  }

  // Statistics, affine part or both; PyTorch has them in one module.
  void add_batch_norm(const std::string& module, const std::vector<Parameter*>& parameters) {
    static const std::map<std::string, std::string> names = {{"scale", "weight"},
                                                             {"bias", "bias"},
                                                             {"mean", "running_mean"},
                                                             {"variance", "running_var"}};
    for (Parameter* parameter : parameters) {
      if (parameter->name == "factor") continue;
      add_parameter(module + "." + names.at(parameter->name), parameter);
      if (parameter->name != "variance") continue;
      tensors.push_back(PublishedTensor::of_constant(module + ".num_batches_tracked", {}, {0}));
      tensors.back().is_count = true;
    }
  }

  Layers layers_, trained_;
  std::map<std::string, std::string> before_;  // the layer that makes a layer's only bottom
};

// Where the row that stands at `row` in the tensor belongs in the parameter.
int64_t our_row(int64_t row, int64_t rows, int64_t groups) {
  return row % groups * (rows / groups) + row / groups;
}

}  // namespace

PublishedTensor PublishedTensor::of(const std::string& name, Parameter* parameter) {
  PublishedTensor tensor;
  tensor.name = name;
  tensor.shape = parameter->value.shape;
  tensor.parts = {parameter};
  return tensor;
}

PublishedTensor PublishedTensor::of_constant(const std::string& name, const Shape& shape,
                                             std::vector<float> values) {
  PublishedTensor tensor;
  tensor.name = name;
  tensor.shape = shape;
  tensor.constant = std::move(values);
  return tensor;
}

std::vector<float> PublishedTensor::part(size_t index, const std::vector<float>& numbers) const {
  const Parameter& parameter = *parts.at(index);
  const int64_t count = parameter.value.count(), rows = groups > 1 ? parameter.value.shape[0] : 1;
  const int64_t each = count / rows;
  std::vector<float> values(static_cast<size_t>(count));
  for (int64_t row = 0; row < rows; ++row)
    std::copy_n(numbers.begin() + static_cast<int64_t>(index) * count + row * each, each,
                values.begin() + our_row(row, rows, groups) * each);
  return values;
}

std::vector<float> PublishedTensor::numbers(const Parameters& parameters) const {
  if (parts.empty()) return constant;
  std::vector<float> all(static_cast<size_t>(shape.count()), 0.0f);
  const int64_t count = shape.count() / static_cast<int64_t>(parts.size());
  auto to = all.begin();
  for (const Parameter* parameter : parts) {
    if (parameter != nullptr) {
      const std::vector<float> values = parameters.read(*parameter);
      const int64_t rows = groups > 1 ? parameter->value.shape[0] : 1, each = count / rows;
      for (int64_t row = 0; row < rows; ++row)
        std::copy_n(values.begin() + our_row(row, rows, groups) * each, each, to + row * each);
    }
    to += count;
  }
  return all;
}

std::vector<PublishedTensor> published_tensors(const NetSpec& net, const Parameters& parameters,
                                               const NetSpec* trained) {
  Collector collector(net, trained);
  const auto& all = parameters.all();
  for (size_t i = 0; i < all.size();) {
    const std::string& layer = all[i]->layer;
    std::vector<Parameter*> own;
    for (; i < all.size() && all[i]->layer == layer; ++i)
      if (all[i]->kind != Parameter::Kind::kDerived) own.push_back(all[i].get());
    collector.add(layer, own);
  }
  return std::move(collector.tensors);
}

}  // namespace orepa
