// The convolutions of the zoo.
#pragma once
#include <cstdint>
#include <set>
#include <string>

#include "orepa/device.h"

namespace orepa {

// What nets under models/ ask a device for at that batch size and precision: train_val in both
// phases, and deploy. `nets` is a regular expression that their paths there match.
std::set<ConvolutionGeometry> zoo_convolutions(const std::string& nets, int64_t batch,
                                               DType precision);

}  // namespace orepa
