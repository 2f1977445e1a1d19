// What a page says of network.json and last_test.json. Throw Error that starts with the path where
// the file does not hold what docs/report.md says.
#pragma once
#include <string>

#include "report/json_files.h"

namespace orepa::tool {

Json network_section(const Json& file, const std::string& path);

// Its matrix is left out above kLargestMatrix classes; there are always the pairs that were taken
// for each other most often, kPairs of them at most.
constexpr size_t kLargestMatrix = 100, kPairs = 20;
Json last_test_section(const Json& file, const std::string& path);

}  // namespace orepa::tool
