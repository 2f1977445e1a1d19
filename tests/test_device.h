// The device that tests run on: what OREPA_TEST_DEVICE names, the CPU where it is not set; "late"
// is late_device.h's on the CPU.
#pragma once
#include <memory>

#include "orepa/device.h"

namespace orepa {

std::unique_ptr<Device> test_device(const DeviceOptions& options = {});

}  // namespace orepa
