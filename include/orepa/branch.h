// WeightBranch: one term of a re-parameterised kernel W (Hu et al., Online Convolutional
// Re-parameterization, CVPR 2022). A branch adds scale * K(factors) to W and turns dW into the
// gradients of its scale and factors. No branch touches a feature map. A sum of branches is itself
// a branch, and so is a chain of kernels.
//
// W is O x Cg x K x K, stored OHWI as every tensor of rank 4: O rows of K K taps of Cg numbers. o
// is an output channel, g = o div Og its group, i an input channel inside its group. Formulas:
// docs/orepa.md.
//
// To add one: write src/layers/branches/NAME.cpp with OREPA_BRANCH(Class, "name", "one line of
// help"). Which of the fields of a BranchParameter it has stands in read_branch() (presets.cpp);
// its name belongs to the comment of BranchParameter.type and to the table of docs/orepa.md.
#pragma once
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "orepa/layer.h"

namespace orepa {

struct KernelGeometry {
  int64_t outputs = 0, inputs = 0;  // O and C, all groups together
  int64_t groups = 1, size = 1;     // G and K
  int64_t inputs_per_group() const { return inputs / groups; }
  int64_t outputs_per_group() const { return outputs / groups; }
  int64_t taps() const { return size * size; }
  Shape shape() const { return {outputs, inputs / groups, size, size}; }
};

// What a preset or the prototxt says about one branch.
struct BranchSpec {
  std::string type,
      name;         // the name stands in parameter names: "kxk" in "kxk.weight"; default: the type
  float scale = 1;  // initial value of the scaling vector
  Filler filler;    // of the factors that start random
  int64_t middle_channels = 0;                 // T of 1x1_kxk; 0: the published rule
  int64_t expansion = 8;                       // r of dw_pw
  std::vector<std::vector<BranchSpec>> chain;  // of a chain: the branches of each kernel
};

class WeightBranch {
 public:
  virtual ~WeightBranch() = default;
  // Declares factors (named prefix + "weight", prefix + "scale", ...) and scratch. Throws Error
  // where the branch does not exist for this geometry.
  virtual void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
                     const std::string& prefix) = 0;
  // weight += scale * K(factors), or weight = where !accumulate.
  virtual void prepare(Pass& pass, float* weight, bool accumulate) = 0;
  // Overwrites the gradients of scale and factors that pass.gradient() wants; dweight is dL/dW.
  virtual void finish(Pass& pass, const float* dweight) = 0;
};

struct BranchType {
  std::string name, help;
  std::function<std::unique_ptr<WeightBranch>()> make;
};
const std::vector<BranchType>& branch_types();
std::unique_ptr<WeightBranch> make_branch(
    const std::string& type);  // throws Error, names the nearest

struct BranchRegistrar {
  BranchRegistrar(std::string name, std::string help,
                  std::function<std::unique_ptr<WeightBranch>()> make);
};

#define OREPA_BRANCH(Class, name, help)                    \
  static const ::orepa::BranchRegistrar registrar_##Class( \
      name, help,                                          \
      []() -> std::unique_ptr<::orepa::WeightBranch> { return std::make_unique<Class>(); })

}  // namespace orepa
