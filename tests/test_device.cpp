#include "tests/test_device.h"

#include <cstdlib>
#include <string>

#include "tests/late_device.h"

namespace orepa {

std::unique_ptr<Device> test_device(const DeviceOptions& options) {
  const char* variable = std::getenv("OREPA_TEST_DEVICE");
  const std::string name = variable == nullptr ? "cpu" : variable;
  return name == "late" ? make_late_device(make_device("cpu", options))
                        : make_device(name, options);
}

}  // namespace orepa
