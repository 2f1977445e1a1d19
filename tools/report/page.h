// The report of one run, or of several beside each other: one page that needs nothing but itself.
#pragma once
#include <string>
#include <vector>

#include "report/run_folder.h"

namespace orepa::tool {

constexpr size_t kMostPoints = 2000;  // of a curve

// What the page's script draws.
Json page_data(const std::vector<Run>& runs);

std::string page_of(const std::vector<Run>& runs);

}  // namespace orepa::tool
