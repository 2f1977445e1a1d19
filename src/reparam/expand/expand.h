// Expand: the driver of reparam, with what is needed to carry weights over.
#pragma once
#include <string>
#include <vector>

#include "orepa/reparam.h"
#include "reparam/expand/styles.h"

namespace orepa {

struct Expansion {
  NetSpec net;
  ReparamReport report;
  std::vector<Block> blocks;  // one a row of the report; without layers where it stays plain
};

// `exact` as in Style::expand. Throws as reparam() does.
Expansion expand(const NetSpec& net, const ReparamOptions& options, bool exact);

}  // namespace orepa
