#include "layers/branches/sum.h"

#include <set>

namespace orepa {

void BranchSum::setup(Setup& setup, const KernelGeometry& geometry,
                      const std::vector<BranchSpec>& specs, const std::string& prefix) {
  each_ = geometry.taps() * geometry.inputs_per_group();
  blocks_ = OutputBlocks(setup.device(), geometry);
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
  for (const auto& branch : branches_) branch->begin(pass, Stage::kPrepare);
  blocks_.each([&](const OutputBlock& block) {
    for (size_t b = 0; b < branches_.size(); ++b)
      branches_[b]->compose(pass, block, block.of(weight, each_), b > 0);
  });
}

void BranchSum::finish(Pass& pass, const float* dweight) {
  for (const auto& branch : branches_) branch->begin(pass, Stage::kFinish);
  blocks_.each([&](const OutputBlock& block) {
    for (const auto& branch : branches_)
      branch->differentiate(pass, block, block.of(dweight, each_));
  });
  for (const auto& branch : branches_) branch->end(pass, dweight);
}

}  // namespace orepa
