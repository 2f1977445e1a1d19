// Running statistics, which forward passes change and no update does.
#pragma once
#include <vector>

#include "orepa/communicator.h"
#include "orepa/params.h"
#include "solvers/averages.h"

namespace orepa {

std::vector<Tensor> running_statistics(const Parameters& parameters);

// Each rank's are of its own rows, and a test or a snapshot is of their mean, which every rank
// gets; in the averages too, where they are not null.
void average_statistics(Communicator& ranks, Parameters& parameters, Averages* averages);

}  // namespace orepa
