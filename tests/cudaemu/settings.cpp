#include "tests/cudaemu/settings.h"

#include <cstdlib>
#include <string>

#include "tests/cudaemu/violation.h"

namespace cudaemu {
namespace {

// A digit from 0 to `most`.
int digit(const char* name, int otherwise, int most) {
  const char* variable = std::getenv(name);
  if (variable == nullptr) return otherwise;
  const std::string value = variable;
  if (value.size() != 1 || value[0] < '0' || value[0] > '0' + most)
    violation(name, " is \"", value, "\"; a number from 0 to ", most, " was expected");
  return value[0] - '0';
}

}  // namespace

const Settings& settings() {
  static const Settings settings{static_cast<Order>(digit("CUDAEMU_ORDER", 0, 2)),
                                 digit("CUDAEMU_GUARD", 1, 1) == 1,
                                 digit("CUDAEMU_ENGINES", 1, 1) == 1};
  return settings;
}

}  // namespace cudaemu
