#include "reparam/equality.h"

#include <algorithm>
#include <cmath>

#include "orepa/error.h"
#include "orepa/random.h"

namespace orepa {
namespace {

std::vector<std::string> blobs_of(const NetSpec& net) {
  std::vector<std::string> names;
  for (const LayerParameter& layer : net.proto().layer())
    for (const std::string& top : layer.top())
      if (std::find(names.begin(), names.end(), top) == names.end()) names.push_back(top);
  return names;
}

}  // namespace

NetOptions proof_options(std::vector<std::string> keep) {
  NetOptions options = inference_options();
  options.precision = DType::kFloat32;
  options.keep = std::move(keep);
  return options;
}

std::vector<std::string> common_blobs(const NetSpec& a, const NetSpec& b) {
  const std::vector<std::string> known = blobs_of(b);
  std::vector<std::string> common;
  for (const std::string& blob : blobs_of(a))
    if (std::find(known.begin(), known.end(), blob) != known.end()) common.push_back(blob);
  return common;
}

std::string value_name(const std::string& layer, int top) { return text(layer, ":", top); }

NetParameter named_by_value(const NetParameter& net) {
  NetParameter named = net;
  std::map<std::string, std::string> values;
  for (LayerParameter& layer : *named.mutable_layer()) {
    for (std::string& bottom : *layer.mutable_bottom()) bottom = values.at(bottom);
    for (int top = 0; top < layer.top_size(); ++top) {
      values[layer.top(top)] = value_name(layer.name(), top);
      layer.set_top(top, value_name(layer.name(), top));
    }
  }
  return named;
}

std::map<std::string, std::string> last_values(const NetParameter& net) {
  std::map<std::string, std::string> values;
  for (const LayerParameter& layer : net.layer())
    for (int top = 0; top < layer.top_size(); ++top)
      values[layer.top(top)] = value_name(layer.name(), top);
  return values;
}

void copy_values(const Parameters& from, Parameters& to) {
  for (const auto& parameter : to.all()) {
    const Parameter* source = from.find(parameter->layer, parameter->name);
    require(source != nullptr, "the other net has no parameter ", parameter->path());
    to.write(*parameter, from.read(*source));
  }
}

std::map<std::string, int64_t> word_inputs(const NetSpec& net) {
  std::map<std::string, int64_t> words;
  for (const LayerParameter& layer : net.proto().layer())
    if (layer.type() == "Embed" && layer.bottom_size() == 1)
      words[layer.bottom(0)] = layer.embed_param().input_dim();
  return words;
}

void run_alike(Net& a, Net& b, const std::map<std::string, int64_t>& words) {
  for (const Net::Blob& input : a.inputs()) {
    std::vector<float> values(static_cast<size_t>(input.shape.count()));
    const std::string purpose = "proof " + input.name;
    if (const auto known = words.find(input.name); known != words.end()) {
      const Random random(1, purpose);
      for (size_t i = 0; i < values.size(); ++i)
        values[i] = static_cast<float>(random.below(i, static_cast<uint64_t>(known->second)));
    } else {
      Filler filler;
      filler.type = "gaussian";
      filler.fill(input.shape, 1, purpose, values.data());
    }
    a.set(input.name, values);
    b.set(input.name, values);
  }
  for (Net* net : {&a, &b}) {
    net->prepare();
    net->forward(0);
  }
}

Difference compare(const Net& a, const Net& b, const std::string& blob) {
  return compare(a, b, blob, blob);
}

Difference compare(const Net& a, const Net& b, const std::string& blob, const std::string& in_a) {
  const std::vector<float> first = a.read(in_a), second = b.read(blob);
  require(first.size() == second.size(), "blob \"", blob, "\" has ", second.size(),
          " numbers, not ", first.size());
  double most = 0, largest = 0;
  for (size_t i = 0; i < first.size(); ++i) {
    const double difference = std::fabs(static_cast<double>(first[i]) - second[i]);
    if (!std::isfinite(difference)) return {INFINITY, INFINITY};
    most = std::max(most, difference);
    largest = std::max(largest, std::fabs(static_cast<double>(first[i])));
  }
  return {most, most == 0 ? 0 : most / std::max(largest, 1e-30)};
}

}  // namespace orepa
