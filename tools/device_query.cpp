#include <iostream>

#include "backend/cuda/inventory.h"
#include "command.h"
#include "data/sources/sources.h"
#include "orepa/communicator.h"
#include "orepa/device.h"
#include "orepa/error.h"

namespace orepa::tool {
namespace {

void print(const std::string& what, const std::string& words) {
  std::string line = what;
  line.resize(12, ' ');
  std::cout << line << words << '\n';
}

void device_query() {
  const cuda::Inventory cuda = cuda::take_inventory();
  print("processor", make_device("cpu")->description());
  print("CUDA", cuda.program);
  if (!cuda.driver.empty()) print("  driver", cuda.driver);
  if (!cuda.libraries.empty()) print("  libraries", cuda.libraries);
  if (!cuda.nccl.empty()) print("  ranks", cuda.nccl);
  for (size_t i = 0; i < cuda.gpus.size(); ++i) {
    const cuda::Gpu& gpu = cuda.gpus[i];
    print(text("  cuda:", i),
          text(gpu.name, ", compute capability ", gpu.major, ".", gpu.minor, ", ",
               gpu.multiprocessors, " multiprocessors, ", gpu.free_bytes >> 20, " of ",
               gpu.total_bytes >> 20, " MiB available"));
  }
  if (cuda.gpus.empty()) print("  devices", "none");
  print("MPI", mpi_version());
  const auto built = [](const std::string& version) {
    return version.empty() ? "built without" : version;
  };
  print("LMDB", built(lmdb_version()));
  print("LevelDB", built(leveldb_version()));
}

const CommandRegistrar registrar(
    {"device_query", "the devices there are, versions, and optional parts", {}, {}, device_query});

}  // namespace
}  // namespace orepa::tool
