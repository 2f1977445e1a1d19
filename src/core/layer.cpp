#include "orepa/layer.h"

#include "core/registry.h"
#include "orepa/branch.h"

namespace orepa {

std::string LayerSpec::where(const std::string& field) const {
  const std::string place = options.where(field);
  return text(place, place.empty() ? "" : ": ", "layer \"", name, "\" (", type, "): ");
}

LayerRegistrar::LayerRegistrar(std::string name, std::string help,
                               std::function<std::unique_ptr<Layer>()> make)
    : name_(name) {
  add_to_registry(LayerType{std::move(name), std::move(help), std::move(make), {}});
}

LayerRoles& LayerRegistrar::roles() const { return registered<LayerType>(name_)->roles; }

LayerRegistrar& LayerRegistrar::linear(const LinearRole& role) {
  roles().linear = role;
  return *this;
}

LayerRegistrar& LayerRegistrar::adds(std::vector<double> (*factors)(const LayerSpec&, size_t)) {
  roles().sum_factors = factors;
  return *this;
}

LayerRegistrar& LayerRegistrar::onnx(void (*write)(const OnnxLayer&)) {
  roles().onnx = write;
  return *this;
}

LayerRegistrar& LayerRegistrar::channels(int64_t (*count)(const LayerSpec&,
                                                          const std::vector<int64_t>&)) {
  roles().channels = count;
  return *this;
}

LayerRegistrar& LayerRegistrar::keeps_channels() {
  return channels(
      [](const LayerSpec&, const std::vector<int64_t>& inputs) { return inputs.at(0); });
}

const std::vector<LayerType>& layer_types() { return registry<LayerType>(); }

const LayerRoles& layer_roles(const std::string& type) {
  static const LayerRoles none;
  const LayerType* found = registered<LayerType>(type);
  return found == nullptr ? none : found->roles;
}

std::unique_ptr<Layer> make_layer(const LayerSpec& spec) {
  require(spec.type != "Filter", spec.where("type"),
          "the size of its tops depends on its numbers, ",
          "and here shapes are fixed before there are any; mask what is to be left out instead ",
          "(Eltwise PROD, Scale with two bottoms)");
  return find_in_registry<LayerType>(spec.type, spec.where("type"), "layer type").make();
}

BranchRegistrar::BranchRegistrar(std::string name, std::string help,
                                 std::function<std::unique_ptr<WeightBranch>()> make) {
  add_to_registry(BranchType{std::move(name), std::move(help), std::move(make)});
}

const std::vector<BranchType>& branch_types() { return registry<BranchType>(); }

std::unique_ptr<WeightBranch> make_branch(const std::string& type) {
  return find_in_registry<BranchType>(type, "", "branch type").make();
}

}  // namespace orepa
