// Nets whose data is on another machine: what there is to say of them without it.
#pragma once
#include <string>
#include <vector>

#include "engine/graph.h"
#include "orepa/model_io.h"

namespace orepa::tool {

// The net with an Input layer in place of every Data or ImageData layer that the filter leaves and
// whose source is not there, as far as the size of its images can be told from its fields (three
// channels, or one where it says grey). `notes`: a line for each such layer.
NetSpec without_absent_data(const NetSpec& spec, const LayerFilter& filter,
                            std::vector<std::string>& notes);

}  // namespace orepa::tool
