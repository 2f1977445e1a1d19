#include "nets.h"

#include <sys/resource.h>

#include <iostream>

#include "flags.h"
#include "orepa/error.h"
#include "orepa/weights.h"

namespace orepa::tool {

void load_and_report(const std::vector<std::string>& weights, Parameters& parameters,
                     bool complete) {
  if (weights.empty()) return;
  const WeightsReport report = load_weights(weights, parameters, FLAGS_weights_strict);
  std::cout << report.table() << std::flush;
  const int absent = report.count(WeightsReport::Status::kMissing) +
                     report.count(WeightsReport::Status::kMisshapen);
  require(!complete || absent == 0, FLAGS_weights, ": ", absent,
          " parameters of the net have no weights there (see above)");
}

std::string first_name(const LayerReport& row) { return row.name.substr(0, row.name.find(" + ")); }

int64_t peak_resident_bytes() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return int64_t{usage.ru_maxrss} * 1024;
}

}  // namespace orepa::tool
