// How large the branches of re-parameterised kernels are: what a run notes of them at every test.
#pragma once
#include <string>
#include <vector>

#include "orepa/model_io.h"
#include "orepa/params.h"

namespace orepa {

struct BranchScale {
  std::string branch;  // its name
  double norm = 0;     // Frobenius norm of the kernel that it adds to W
  double share = 0;    // of the sum of its layer's norms; 0 where all are 0
};

struct LayerBranches {
  std::string layer;
  std::vector<BranchScale> branches;  // in the order of the prototxt
};

// Of every ORepaConv of `net` whose parameters are in `parameters`, in order. Each kernel is
// composed by its branch alone, on the CPU, from copies of the factors: a layer's at a time.
std::vector<LayerBranches> branch_scales(const NetSpec& net, const Parameters& parameters);

}  // namespace orepa
