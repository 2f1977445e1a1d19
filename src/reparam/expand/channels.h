// How many channels every blob has, as far as the prototxt tells: nothing is set up but sources of
// data, so layers that this program does not have are no obstacle.
#pragma once
#include <string>
#include <vector>

#include "engine/graph.h"

namespace orepa {

struct Channels {
  std::vector<int64_t> of;  // by value of the graph; 0: unknown
  std::string unknown;      // what a source of data said when it could not be asked; may be empty
};

// `graph` is that of the net in this phase. A source with fields that are not known is not asked.
Channels count_channels(const Graph& graph, const NetSpec& net, Phase phase);

}  // namespace orepa
