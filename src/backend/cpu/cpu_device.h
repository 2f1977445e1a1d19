#pragma once
#include <memory>

#include "orepa/device.h"

namespace orepa::cpu {

// "cpu" of make_device().
std::unique_ptr<Device> make_cpu_device(const DeviceOptions& options);

}  // namespace orepa::cpu
