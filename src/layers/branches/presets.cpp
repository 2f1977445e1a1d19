#include "layers/branches/presets.h"

#include <cmath>

namespace orepa {
namespace {

BranchSpec branch(const std::string& type, float scale, double slope) {
  BranchSpec spec;
  spec.type = spec.name = type;
  spec.scale = scale;
  spec.filler = Filler::kaiming_uniform(slope);
  return spec;
}

std::vector<BranchSpec> block(double slope) {
  return {branch("kxk", 0.25f, slope), branch("avg", 0.25f, slope),
          branch("prior", 0, slope),   branch("1x1_kxk", 0.5f, slope),
          branch("1x1", 1, slope),     branch("dw_pw", 0.5f, slope)};
}

std::vector<BranchSpec> chain_of(const KernelGeometry& geometry,
                                 const std::vector<BranchSpec>& link, double slope) {
  BranchSpec chain = branch("chain", 1, slope);
  chain.chain.assign(static_cast<size_t>((geometry.size - 1) / 2), link);
  return {chain};
}

std::vector<BranchSpec> vgg(const KernelGeometry& geometry) {
  std::vector<BranchSpec> branches = block(1);
  std::erase_if(branches, [](const BranchSpec& spec) { return spec.type == "1x1"; });
  if (geometry.groups < geometry.outputs)
    for (BranchSpec& spec : branches) spec.middle_channels = geometry.inputs;
  return branches;
}

BranchSpec read_branch(const Setup& setup, const Options& options) {
  BranchSpec spec;
  spec.type = options.string("type");
  setup.require(!spec.type.empty(), options.where(), ": a branch needs a type");
  spec.name = options.has("name") ? options.string("name") : spec.type;
  setup.require(spec.name.find('/') == std::string::npos && !spec.name.empty(),
                "a branch cannot be called \"", spec.name, "\"");
  const auto belongs_to = [&](const std::string& field, bool fits, const std::string& whose) {
    if (options.has(field) && !fits)
      fail(options.where(field), ": layer \"", setup.spec().name, "\" (", setup.spec().type,
           "): a branch of type \"", spec.type, "\" has no ", field, "; ", whose);
  };
  belongs_to("scale", spec.type != "chain", "scale the branches of its kernels");
  belongs_to("scale", spec.type != "identity", "it has no scaling vector");
  belongs_to("middle_channels", spec.type == "1x1_kxk", "it belongs to 1x1_kxk");
  belongs_to("expansion", spec.type == "dw_pw", "it belongs to dw_pw");
  belongs_to("kernel", spec.type == "chain", "it belongs to chain");
  spec.scale = static_cast<float>(options.number("scale"));
  spec.filler = Filler::from(options, "weight_filler", Filler::kaiming_uniform(0));
  spec.middle_channels = options.integer("middle_channels");
  spec.expansion = options.integer("expansion");
  for (const Options& kernel : options.messages("kernel")) {
    spec.chain.emplace_back();
    for (const Options& part : kernel.messages("branch"))
      spec.chain.back().push_back(read_branch(setup, part));
  }
  return spec;
}

}  // namespace

std::vector<BranchSpec> preset_branches(const std::string& name, const KernelGeometry& geometry) {
  const auto needs = [&](bool fits, const char* what) {
    require(fits, "preset ", name, " needs ", what, ", got kernel_size ", geometry.size,
            " and group ", geometry.groups);
  };
  if (name == "OREPA") return block(0);
  if (name == "OREPA_1X1") {
    needs(geometry.size == 1 && geometry.groups == 1, "kernel_size 1 and group 1");
    return {branch("kxk", 1, 1), branch("1x1_1x1", 0.5f, 1)};
  }
  if (name == "IDENTITY") return {branch("identity", 1, 0)};
  if (name == "OREPA_VGG") {
    needs(geometry.size == 3, "kernel_size 3");
    return vgg(geometry);
  }
  if (name == "OREPA_LARGE" || name == "LARGE_BASE") {
    needs(geometry.size >= 5, "kernel_size 5 or more");
    return name == "OREPA_LARGE" ? chain_of(geometry, block(0), 0)
                                 : chain_of(geometry, {}, std::sqrt(5.0));
  }
  fail("preset ", name, " has no list of branches");
}

std::vector<BranchSpec> read_branches(const Setup& setup, const Options& options,
                                      const KernelGeometry& geometry) {
  setup.require(options.has("preset") != options.has("branch"),
                "orepa_param needs either a preset or a list of branches");
  if (options.has("preset")) {
    try {
      return preset_branches(options.choice("preset"), geometry);
    } catch (const Error& error) {
      fail(options.where("preset"), ": layer \"", setup.spec().name, "\" (", setup.spec().type,
           "): ", error.what());
    }
  }
  std::vector<BranchSpec> specs;
  for (const Options& branch : options.messages("branch"))
    specs.push_back(read_branch(setup, branch));
  return specs;
}

}  // namespace orepa
