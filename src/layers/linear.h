// What layers that say which LinearMap they are share.
#pragma once
#include <string>
#include <vector>

#include "orepa/layer.h"
#include "orepa/params.h"

namespace orepa {

// The values of the layer's parameter. Throws Error where it has none of that name.
std::vector<double> read_numbers(const Parameters& parameters, const LayerSpec& spec,
                                 const std::string& name);
// O x I x taps to O x taps x I.
std::vector<double> channels_last(const std::vector<double>& kernel, int64_t outputs,
                                  int64_t inputs, int64_t taps);

}  // namespace orepa
