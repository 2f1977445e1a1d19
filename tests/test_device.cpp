#include "tests/test_device.h"

#include <cstdlib>

namespace orepa {

std::unique_ptr<Device> test_device(const DeviceOptions& options) {
  const char* name = std::getenv("OREPA_TEST_DEVICE");
  return make_device(name == nullptr ? "cpu" : name, options);
}

}  // namespace orepa
