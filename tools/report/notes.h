// What a training writes into its folder for the report, beside its curves: texts of files.
#pragma once
#include <string>
#include <vector>

#include "orepa/branch_scales.h"
#include "orepa/net.h"

namespace orepa::tool {

// network.json: the layers of a net as Net::report() tells them.
std::string network_json(const std::string& name, const Net& net);

// A line of branches.jsonl, without its end.
std::string branches_line(int64_t iteration, const std::vector<LayerBranches>& layers);

}  // namespace orepa::tool
