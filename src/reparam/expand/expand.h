// Expand: the driver of reparam, with what is needed to carry weights over.
#pragma once
#include <string>
#include <vector>

#include "orepa/reparam.h"
#include "reparam/expand/styles.h"

namespace orepa {

struct Expansion {
  NetSpec net;
  std::vector<Block> blocks;
  ReparamReport report;
};

// `exact` as in Style::expand. Throws as reparam() does.
Expansion expand(const NetSpec& net, const ReparamOptions& options, bool exact);

}  // namespace orepa
