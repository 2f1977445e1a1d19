// Presets: lists of branches as the paper and its published code use them. Data, not code: a user
// writes other lists in prototxt.
#pragma once
#include <string>
#include <vector>

#include "orepa/branch.h"

namespace orepa {

// Throws Error for a name that is none, or a kernel that the preset is not made for.
std::vector<BranchSpec> preset_branches(const std::string& name, const KernelGeometry& geometry);

// What an orepa_param says: its preset or its list of branches.
std::vector<BranchSpec> read_branches(const Setup& setup, const Options& orepa_param,
                                      const KernelGeometry& geometry);

}  // namespace orepa
