// MPI is in a shared object of its own, which is loaded where a process is one of several: a
// program that trains alone starts without it.
#pragma once
#include "orepa/communicator.h"

namespace orepa::comm {

// make_mpi_communicator() by its name in C; null where there is one rank alone.
using Door = Communicator*(double timeout);
constexpr char kDoor[] = "orepa_mpi_communicator";

using VersionDoor = void(std::string& version);
constexpr char kVersionDoor[] = "orepa_mpi_version";

}  // namespace orepa::comm
