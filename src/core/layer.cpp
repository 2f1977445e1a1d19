#include "orepa/layer.h"

#include "core/registry.h"
#include "orepa/branch.h"

namespace orepa {

std::string LayerSpec::where(const std::string& field) const {
  const std::string place = options.where(field);
  return text(place, place.empty() ? "" : ": ", "layer \"", name, "\" (", type, "): ");
}

LayerRegistrar::LayerRegistrar(std::string name, std::string help,
                               std::function<std::unique_ptr<Layer>()> make) {
  add_to_registry(LayerType{std::move(name), std::move(help), std::move(make)});
}

const std::vector<LayerType>& layer_types() { return registry<LayerType>(); }

std::unique_ptr<Layer> make_layer(const LayerSpec& spec) {
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
