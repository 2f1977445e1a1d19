// The NVIDIA driver, which may be missing or too old.
#pragma once
#include <string>

namespace orepa::cuda {

std::string version(int number);  // "13.0" of 13000, as CUDA has them

// Of the CUDA that the driver serves; 0 where there is none.
int driver_version();

// How many devices there are. Throws Error with the remedy where `what` cannot be had for want of a
// driver.
int count_devices(const std::string& what);

}  // namespace orepa::cuda
