// What names a layer of a net from outside: its name and, where it is of one phase alone,
// "NAME:TRAIN" or "NAME:TEST".
#pragma once
#include <string>
#include <vector>

#include "orepa.pb.h"

namespace orepa {

// Whether the layer is in nets of this phase, as far as its rules speak of phases.
bool runs_in(const LayerParameter& layer, NetPhase phase);

// The same where the solver's field `net` ("train_net_param", say) holds its net: those of some
// fields serve one phase alone.
bool runs_in(const LayerParameter& layer, NetPhase phase, const std::string& net);

// "NAME:TRAIN"
std::string name_in_phase(const LayerParameter& layer, NetPhase phase);

std::vector<std::string> names_of(const LayerParameter& layer, const std::string& net);

}  // namespace orepa
