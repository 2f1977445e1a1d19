// What the commands share around a net: the device, its weights, the numbers they print.
#pragma once
#include <cstdint>
#include <string>

#include "orepa/net.h"

namespace orepa::tool {

// Loads what --weights names (nothing where it is absent), as --weights_strict says, and prints
// what was loaded.
void load_weights_flag(Parameters& parameters);

// The name of the first of the layers that run as one; the row's type names them all.
std::string first_name(const LayerReport& row);

// The most memory that this process has held so far, in bytes.
int64_t peak_resident_bytes();

}  // namespace orepa::tool
