// What the layers of a net hand from pass to pass (Net::states), as snapshots hold it.
#pragma once
#include <map>
#include <set>
#include <string>
#include <vector>

#include "orepa/net.h"

namespace orepa {

using NetStates = std::map<std::string, std::vector<float>>;  // by LAYER/NAME, in Caffe's order

// Waits for the device.
NetStates read_states(Device& device, const Net& net);
// Those that are not among them become zeros: returns their layers. Throws Error where one is of
// another size.
std::set<std::string> write_states(Device& device, const NetStates& states, Net& net);

}  // namespace orepa
