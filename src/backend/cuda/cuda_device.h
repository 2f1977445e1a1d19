#pragma once
#include <memory>
#include <string>

#include "orepa/device.h"

namespace orepa::cuda {

// "cuda:0" and so on of make_device(). Throws Error with the remedy where there is no driver, no
// such device, or one that is too old. In a program built without CUDA it says so.
std::unique_ptr<Device> make_cuda_device(const std::string& name, const DeviceOptions& options);

}  // namespace orepa::cuda
