// Survey: of which layers of a net nothing can be said, those of types that orepa does not have and
// all that stand behind them.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "orepa/net.h"

namespace orepa::tool {

struct UnknownLayer {
  int index;  // among the net's
  std::string name, type, reason;
};

struct Survey {
  std::vector<UnknownLayer> unknown;
  std::set<std::string> types;  // that orepa does not have
  bool nothing_known = false;   // whether no other layer is left
};

// Of the layers in the phase, level and stages of the options.
Survey survey_of(const NetSpec& net, const NetOptions& options);

}  // namespace orepa::tool
