// What debug_info shows.
#pragma once
#include "orepa/net.h"

namespace orepa {

// The parameter and its gradient, where it has one now. Waits for the device.
Measure measure(Device& device, const Parameter& parameter);

}  // namespace orepa
