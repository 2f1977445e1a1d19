#include "layers/branches/sum.h"

#include <set>

namespace orepa {

void BranchSum::setup(Setup& setup, const KernelGeometry& geometry,
                      const std::vector<BranchSpec>& specs, const std::string& prefix) {
  std::set<std::string> names;
  for (const BranchSpec& spec : specs) {
    setup.require(names.insert(spec.name).second, "two branches are called \"", spec.name,
                  "\"; give the second one a name of its own: branch { type: \"", spec.type,
                  "\" name: ... }");
    std::unique_ptr<WeightBranch> branch;
    try {
      branch = make_branch(spec.type);
    } catch (const Error& error) {
      setup.fail(error.what());
    }
    const bool named = spec.type != "chain" || spec.name != "chain";
    branch->setup(setup, geometry, spec, named ? prefix + spec.name + "." : prefix);
    branches_.push_back(std::move(branch));
  }
}

void BranchSum::prepare(Pass& pass, float* weight) {
  for (size_t b = 0; b < branches_.size(); ++b) branches_[b]->prepare(pass, weight, b > 0);
}

void BranchSum::finish(Pass& pass, const float* dweight) {
  for (const auto& branch : branches_) branch->finish(pass, dweight);
}

}  // namespace orepa
