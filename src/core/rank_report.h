// What one of several ranks has to report, made known to all of them.
#pragma once
#include <string>

#include "orepa/communicator.h"

namespace orepa {

// The report of the lowest rank that has one: its own words on that rank, "rank 1: ..." on the
// others; empty where nobody has one. All ranks must call it.
std::string first_report(Communicator& ranks, const std::string& own);

}  // namespace orepa
