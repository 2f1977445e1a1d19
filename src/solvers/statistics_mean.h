// Running statistics over all ranks: each rank's are of its own rows, and a test or a snapshot is
// of their mean.
#pragma once
#include "orepa/communicator.h"
#include "orepa/params.h"
#include "solvers/averages.h"

namespace orepa {

// Every rank gets the means, in the averages too, where they are not null.
void average_statistics(Communicator& ranks, Parameters& parameters, Averages* averages);

}  // namespace orepa
