// A device whose answers come late: what a GPU's queue does to the host's memory, on the CPU. What
// is sent to the host arrives when somebody waits for it, no event is done before, and host memory
// that was handed over must not change until then.
#pragma once
#include <memory>

#include "orepa/device.h"

namespace orepa {

// Computes on `inner`. Throws Error from the wait that finds memory changed too early.
std::unique_ptr<Device> make_late_device(std::unique_ptr<Device> inner);

}  // namespace orepa
