// Composes a branch alone as training composes all of them: with a net of one ORepaConv a branch,
// each of which has that branch alone. Its parameters are called as in the layer, so that values
// can be copied by name.
#include "orepa/branch_scales.h"

#include <cmath>
#include <set>

#include "layers/branches/presets.h"
#include "orepa.pb.h"
#include "orepa/net.h"

namespace orepa {
namespace {

constexpr const char* kType = "ORepaConv";

// The words of a prototxt for what a preset says.
BranchParameter message_of(const BranchSpec& spec) {
  BranchParameter branch;
  branch.set_type(spec.type);
  branch.set_name(spec.name);
  if (spec.type == "1x1_kxk" && spec.middle_channels > 0)
    branch.set_middle_channels(static_cast<uint32_t>(spec.middle_channels));
  if (spec.type == "dw_pw") branch.set_expansion(static_cast<uint32_t>(spec.expansion));
  for (const std::vector<BranchSpec>& link : spec.chain) {
    ChainKernel* kernel = branch.add_kernel();
    for (const BranchSpec& part : link) *kernel->add_branch() = message_of(part);
  }
  return branch;
}

std::vector<BranchParameter> branches_of(const OrepaParameter& param,
                                         const KernelGeometry& geometry) {
  std::vector<BranchParameter> branches(param.branch().begin(), param.branch().end());
  if (param.has_preset())
    for (const BranchSpec& spec :
         preset_branches(OrepaParameter::Preset_Name(param.preset()), geometry))
      branches.push_back(message_of(spec));
  for (BranchParameter& branch : branches)
    if (!branch.has_name()) branch.set_name(branch.type());
  return branches;
}

// Of a kernel's shape, O x Cg x K x K.
KernelGeometry geometry_of(const LayerParameter& layer, const Shape& kernel) {
  const int64_t groups = layer.convolution_param().group();
  return {kernel[0], kernel[1] * groups, groups, kernel[2]};
}

// All branches over an input of one place of the kernel. Layers are called as their branches.
NetSpec net_of(const std::vector<BranchParameter>& branches, const KernelGeometry& geometry) {
  NetParameter net;
  LayerParameter* input = net.add_layer();
  input->set_name("the/input");  // names of branches have no slash
  input->set_type("Input");
  input->add_top(input->name());
  BlobShape* shape = input->mutable_input_param()->add_shape();
  for (const int64_t extent : {int64_t{1}, geometry.inputs, geometry.size, geometry.size})
    shape->add_dim(extent);
  for (const BranchParameter& branch : branches) {
    LayerParameter* layer = net.add_layer();
    layer->set_name(branch.name());
    layer->set_type(kType);
    layer->add_bottom(input->name());
    layer->add_top(branch.name());
    ConvolutionParameter* convolution = layer->mutable_convolution_param();
    convolution->set_num_output(static_cast<uint32_t>(geometry.outputs));
    convolution->add_kernel_size(static_cast<uint32_t>(geometry.size));
    convolution->set_group(static_cast<uint32_t>(geometry.groups));
    convolution->set_bias_term(false);
    *layer->mutable_orepa_param()->add_branch() = branch;
  }
  return NetSpec(net, "branches");
}

double frobenius_norm(const std::vector<float>& kernel) {
  double squares = 0;
  for (const float weight : kernel) squares += static_cast<double>(weight) * weight;
  return std::sqrt(squares);
}

LayerBranches scales_of(const LayerParameter& layer, const KernelGeometry& geometry,
                        const Parameters& trained, Device& device) {
  const std::vector<BranchParameter> branches = branches_of(layer.orepa_param(), geometry);
  Parameters copies(device, 0, false);
  Arena arena(device);
  Net net(net_of(branches, geometry), copies, arena, {});
  for (const auto& copy : copies.all()) {
    if (copy->kind == Parameter::Kind::kDerived) continue;
    const Parameter* original = trained.find(layer.name(), copy->name);
    require(original != nullptr, "layer \"", layer.name(), "\" has no parameter ", copy->name);
    copies.write(*copy, trained.read(*original));
  }
  net.prepare();

  LayerBranches scales{layer.name(), {}};
  double sum = 0;
  for (const BranchParameter& branch : branches) {
    const double norm = frobenius_norm(copies.read(*copies.find(branch.name(), "weight")));
    scales.branches.push_back({branch.name(), norm, 0});
    sum += norm;
  }
  for (BranchScale& scale : scales.branches) scale.share = sum > 0 ? scale.norm / sum : 0;
  return scales;
}

}  // namespace

std::vector<LayerBranches> branch_scales(const NetSpec& net, const Parameters& parameters) {
  const std::unique_ptr<Device> device = make_device("cpu");
  std::vector<LayerBranches> all;
  std::set<std::string> seen;  // a layer may be given once a phase
  for (const LayerParameter& layer : net.proto().layer()) {
    if (layer.type() != kType || !seen.insert(layer.name()).second) continue;
    const Parameter* kernel = parameters.find(layer.name(), "weight");
    if (kernel == nullptr) continue;
    all.push_back(scales_of(layer, geometry_of(layer, kernel->value.shape), parameters, *device));
  }
  return all;
}

}  // namespace orepa
