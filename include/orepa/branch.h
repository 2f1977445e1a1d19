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

// Neighbouring output channels: whole groups, or a part of one.
struct OutputBlock {
  int64_t first = 0, count = 0;   // output channels
  int64_t group = 0, groups = 0;  // the first group, and of how many this block has outputs
  int64_t part = 0;               // which part of the group, where it has several
  int64_t worker = 0;             // whose scratch; blocks worked on at a time have different ones

  // What these outputs have of an array that holds `each` numbers an output; null of null.
  template <class T>
  T* of(T* all, int64_t each = 1) const {
    return all == nullptr ? nullptr : all + first * each;
  }
};

class WeightBranch {
 public:
  virtual ~WeightBranch() = default;
  // Declares factors (named prefix + "weight", prefix + "scale", ...) and scratch. Throws Error
  // where the branch does not exist for this geometry.
  virtual void setup(Setup& setup, const KernelGeometry& geometry, const BranchSpec& spec,
                     const std::string& prefix) = 0;
  // Before the first block of Stage::kPrepare or kFinish: what blocks share, such as factors in
  // another order.
  virtual void begin(Pass&, Stage) {}
  // weight += scale * K(factors), or weight = where !accumulate, in the block's rows of W.
  virtual void compose(Pass& pass, const OutputBlock& block, float* weight, bool accumulate) = 0;
  // From the block's rows of dL/dW: the gradients of what belongs to its outputs, those that
  // pass.gradient() wants, overwritten.
  virtual void differentiate(Pass& pass, const OutputBlock& block, const float* dweight) = 0;
  // After the last block of Stage::kFinish, with all of dL/dW: the gradients of what outputs share.
  virtual void end(Pass&, const float*) {}
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
