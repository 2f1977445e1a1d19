// Nets whose data is on another machine: what there is to say of them without it.
#pragma once
#include <string>
#include <vector>

#include "engine/graph.h"
#include "orepa/model_io.h"

namespace orepa::tool {

// The net with an Input layer in place of every Data or ImageData layer that the filter leaves and
// whose source is not there, as far as the size of its images can be told from its fields (three
// channels, or one where it says grey); as it is where there is none. `notes`: a line for each such
// layer. Errors of the net that is made name the file, but no lines of it.
NetSpec without_absent_data(const NetSpec& spec, const LayerFilter& filter,
                            std::vector<std::string>& notes);

}  // namespace orepa::tool
