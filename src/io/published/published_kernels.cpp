#include "io/published/published_kernels.h"

#include <algorithm>
#include <map>

#include "layers/branches/prior.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// The kernel that one published module makes: which branches it has, in the order of the rows of
// its `vector`, and how its tensors' names start.
struct Family {
  std::string prefix;
  std::vector<std::string> branches;
};

const std::vector<Family> kFamilies = {
    {"weight_orepa_", {"kxk", "avg", "prior", "1x1_kxk", "1x1", "dw_pw"}},
    {"weight_rbr_", {"kxk", "avg", "prior", "1x1_kxk", "dw_pw"}},
    {"weight_or1x1_", {"kxk", "1x1_1x1"}}};

const std::map<std::string, std::string> kFactors = {{"kxk.weight", "origin"},
                                                     {"avg.weight", "avg_conv"},
                                                     {"prior.weight", "pfir_conv"},
                                                     {"1x1_kxk.pointwise", "1x1_kxk_idconv1"},
                                                     {"1x1_kxk.weight", "1x1_kxk_conv2"},
                                                     {"1x1.weight", "1x1"},
                                                     {"dw_pw.depthwise", "gconv_dw"},
                                                     {"dw_pw.pointwise", "gconv_pw"},
                                                     {"1x1_1x1.first", "l2i_conv1"},
                                                     {"1x1_1x1.second", "l2i_conv2"}};

// OREPA-VGG's blocks that have an identity branch beside them.
bool has_unread_row(const Options& layer, const Shape& kernel) {
  const Options convolution = layer.message("convolution_param");
  std::vector<int64_t> strides = convolution.integers("stride");
  for (const char* field : {"stride_h", "stride_w"})
    if (convolution.has(field)) strides.push_back(convolution.integer(field));
  return kernel[1] * convolution.integer("group") == kernel[0] &&
         std::all_of(strides.begin(), strides.end(), [](int64_t step) { return step == 1; });
}

// I[t, i] = 1 where i = t mod Cg.
std::vector<float> identity(int64_t rows, int64_t columns) {
  std::vector<float> values(static_cast<size_t>(rows * columns), 0.0f);
  for (int64_t t = 0; t < rows; ++t) values[static_cast<size_t>(t * columns + t % columns)] = 1;
  return values;
}

// The link of a chain that the parameter belongs to, "0", "1" and so on; empty where there is none.
std::string link_of(const Parameter& parameter) {
  const size_t digits = parameter.name.find_first_not_of("0123456789");
  return parameter.name[digits] == '.' ? parameter.name.substr(0, digits) : "";
}

// The kernel of one published module.
class Kernel {
 public:
  Kernel(const Options& layer, const std::vector<Parameter*>& parameters)
      : layer_(layer), module_(layer.string("name")) {
    const std::string link = link_of(*parameters[0]);
    if (!link.empty()) module_ += ".weight" + link;
    for (Parameter* parameter : parameters) {
      const std::string name = parameter->name.substr(link.empty() ? 0 : link.size() + 1);
      named_[name] = parameter;
      if (name.ends_with(".scale")) branches_.push_back(name.substr(0, name.size() - 6));
    }
  }

  std::vector<PublishedTensor> tensors() const {
    if (named_.size() == 1 && named_.contains("weight"))  // of a chain without branches
      return {PublishedTensor::of(module_, named_.at("weight"))};
    if (named_.size() == 1 && named_.contains("identity.weight"))
      return {PublishedTensor::of(module_ + ".weight", named_.at("identity.weight"))};
    const auto family = std::find_if(kFamilies.begin(), kFamilies.end(), [&](const Family& entry) {
      return entry.branches == branches_;
    });
    if (family == kFamilies.end()) refuse_layer(layer_, ": no published block has these branches");
    const std::string start = module_ + "." + family->prefix;
    std::vector<PublishedTensor> tensors = factors(start);
    tensors.push_back(vector(family->prefix == "weight_rbr_"));
    if (named_.contains("prior.weight"))
      for (PublishedTensor& constant : constants(start)) tensors.push_back(std::move(constant));
    return tensors;
  }

 private:
  std::vector<PublishedTensor> factors(const std::string& start) const {
    std::vector<PublishedTensor> tensors;
    for (const auto& [name, parameter] : named_) {
      if (name.ends_with(".scale")) continue;
      const auto factor = kFactors.find(name);
      if (factor == kFactors.end()) refuse_layer(layer_, ": no published block has a " + name);
      tensors.push_back(PublishedTensor::of(start + factor->second, parameter));
      if (name == "dw_pw.pointwise")
        tensors.back().groups = layer_.message("convolution_param").integer("group");
    }
    return tensors;
  }

  PublishedTensor vector(bool vgg) const {
    PublishedTensor vector;
    for (const std::string& branch : branches_)
      vector.parts.push_back(named_.at(branch + ".scale"));
    if (vgg && has_unread_row(layer_, kernel())) vector.parts.push_back(nullptr);
    vector.name = module_ + ".vector";
    vector.shape = {static_cast<int64_t>(vector.parts.size()), kernel()[0]};
    return vector;
  }

  std::vector<PublishedTensor> constants(const std::string& start) const {
    const Shape& pointwise = named_.at("1x1_kxk.pointwise")->value.shape;
    const int64_t outputs = kernel()[0], size = kernel()[2], taps = size * size;
    return {PublishedTensor::of_constant(module_ + ".id_tensor", pointwise,
                                         identity(pointwise[0], pointwise[1])),
            PublishedTensor::of_constant(
                start + "avg_avg", {size, size},
                std::vector<float>(static_cast<size_t>(taps), 1.0f / static_cast<float>(taps))),
            PublishedTensor::of_constant(start + "prior", {outputs, size, size},
                                         frequency_prior(outputs, size))};
  }

  const Shape& kernel() const { return named_.at("kxk.weight")->value.shape; }

  const Options& layer_;
  std::string module_;
  std::map<std::string, Parameter*> named_;  // without the link
  std::vector<std::string> branches_;        // that have a scaling vector, in order
};

}  // namespace

void refuse_layer(const Options& layer, const std::string& why) {
  fail(layer.where(), ": layer \"", layer.string("name"), "\" (", layer.string("type"),
       ") is nothing that a published checkpoint has", why);
}

std::vector<PublishedTensor> kernel_tensors(const Options& layer,
                                            const std::vector<Parameter*>& parameters) {
  std::vector<PublishedTensor> tensors;
  for (auto begin = parameters.begin(); begin != parameters.end();) {
    const auto end = std::find_if(begin, parameters.end(), [&](const Parameter* parameter) {
      return link_of(*parameter) != link_of(**begin);
    });
    for (PublishedTensor& tensor : Kernel(layer, {begin, end}).tensors())
      tensors.push_back(std::move(tensor));
    begin = end;
  }
  return tensors;
}

}  // namespace orepa
