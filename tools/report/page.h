// The report of one run, or of several beside each other: one page that needs nothing but itself.
#pragma once
#include <string>
#include <vector>

#include "report/run_folder.h"

namespace orepa::tool {

constexpr size_t kMostPoints = 2000;  // of a curve
// A curve of kNoise points or more has a running mean of kMeans.
constexpr size_t kNoise = 400, kMeans = 150;

// What the page's script draws.
Json page_data(const std::vector<TrainingRun>& runs);

std::string page_of(const std::vector<TrainingRun>& runs);

}  // namespace orepa::tool
