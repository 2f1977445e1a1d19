#include "backend/cpu/cpu_device.h"
#include "orepa/error.h"

namespace orepa {

std::unique_ptr<Device> make_device(const std::string& name, const DeviceOptions& options) {
  if (name == "cpu") return cpu::make_cpu_device(options);
  require(!name.starts_with("cuda"), "device \"", name,
          "\": this program was built without CUDA; use cpu");
  fail("unknown device \"", name, "\"; there is cpu");
}

}  // namespace orepa
