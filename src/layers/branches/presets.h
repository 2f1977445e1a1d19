// Presets: lists of branches as the paper and its published code use them. Data, not code: a user
// writes other lists in prototxt.
#pragma once
#include <string>
#include <vector>

#include "orepa/branch.h"

namespace orepa {

// What an orepa_param says: its preset or its list of branches.
std::vector<BranchSpec> read_branches(const Setup& setup, const Options& orepa_param,
                                      const KernelGeometry& geometry);

}  // namespace orepa
