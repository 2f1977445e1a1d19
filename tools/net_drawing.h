// A net as a drawing in Graphviz's language: what `draw` makes.
#pragma once
#include <functional>
#include <string>
#include <vector>

#include "engine/graph.h"

namespace orepa::tool {

// What is known of a net besides its graph; each may say nothing.
struct DrawingFacts {
  std::function<std::string(const std::string& blob)> shape;
  std::function<std::vector<std::string>(const std::string& layer)> branches;  // of an ORepaConv
};

// A box for every layer, coloured by its kind, an arrow for every use of a blob. A layer in place
// stands below the one whose blob it writes, in the same box.
std::string drawing_of(const Graph& graph, const std::string& title, const DrawingFacts& facts);

}  // namespace orepa::tool
