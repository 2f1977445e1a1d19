#include <dlfcn.h>

#include <cstdlib>

#include "comm/door.h"
#include "orepa/error.h"

namespace orepa {
namespace {

// What mpirun (Open MPI) and srun --mpi=pmix set. A Slurm job step without an MPI plugin has ranks
// that do not know each other: each would train by itself, over the same files.
bool is_one_of_several() {
  const auto number = [](const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? 0 : std::atoi(value);
  };
  const bool knows_others = std::getenv("PMIX_RANK") != nullptr;
  require(knows_others || number("SLURM_STEP_NUM_TASKS") < 2, "srun started ",
          number("SLURM_STEP_NUM_TASKS"),
          " processes that do not know of each other; use srun --mpi=pmix, or mpirun");
  return knows_others && number("OMPI_COMM_WORLD_SIZE") != 1;
}

template <class Door>
Door* door(const char* name) {
  // Beside the program; never closed: MPI starts once.
  void* object = dlopen("liborepa_mpi.so", RTLD_NOW);
  require(object != nullptr, "a training by several processes needs liborepa_mpi.so beside the ",
          "program, and Open MPI: ", dlerror(),
          "; install libopenmpi-dev, and configure and build anew");
  const auto function = reinterpret_cast<Door*>(dlsym(object, name));
  require(function != nullptr, "liborepa_mpi.so is of another build: ", dlerror());
  return function;
}

}  // namespace

std::string Communicator::broadcast(std::string text) {
  auto size = static_cast<int64_t>(text.size());
  broadcast(&size, sizeof size);
  text.resize(static_cast<size_t>(size));
  broadcast(text.data(), size);
  return text;
}

std::shared_ptr<Communicator> join_ranks(double timeout) {
  if (!is_one_of_several()) return nullptr;
  return std::shared_ptr<Communicator>(door<comm::Door>(comm::kDoor)(timeout));
}

std::string mpi_version() try {
  std::string version;
  door<comm::VersionDoor>(comm::kVersionDoor)(version);
  return version;
} catch (const Error& error) {
  return error.what();
}

}  // namespace orepa
