// Inflate: weights for an expanded net with which it computes what the given one does.
#pragma once
#include <memory>
#include <vector>

#include "orepa/net.h"
#include "reparam/expand/expand.h"

namespace orepa {

// The parameters of a net in all its phases, with a net of batch size 1 for each.
struct EveryPhase {
  EveryPhase(const NetSpec& spec, Device& device);
  const Net* find(Phase phase) const;  // null where there is none
  void prepare();

  Parameters parameters;
  Arena arena;
  std::vector<Phase> phases;
  std::vector<std::unique_ptr<Net>> nets;  // one a phase
};

// `expansion` was made with `exact`; its net's parameters have their initial values.
void inflate(const Expansion& expansion, const Parameters& given, EveryPhase& inflated);

}  // namespace orepa
