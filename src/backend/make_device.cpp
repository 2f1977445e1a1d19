#include "backend/cpu/cpu_device.h"
#include "backend/cuda/cuda_device.h"
#include "orepa/error.h"

namespace orepa {

std::unique_ptr<Device> make_device(const std::string& name, const DeviceOptions& options) {
  if (name == "cpu") return cpu::make_cpu_device(options);
  if (name.starts_with("cuda")) return cuda::make_cuda_device(name, options);
  fail("unknown device \"", name, "\"; there are cpu and cuda:0, cuda:1, ...");
}

}  // namespace orepa
