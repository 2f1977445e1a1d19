// Writes the seeds of the binary formats: `fuzz_seeds FOLDER` makes FOLDER/TARGET/seed*.
#include <cstdio>
#include <filesystem>

#include "orepa/weights.h"
#include "solvers/snapshot.h"
#include "tests/data/sources/idx_files.h"
#include "tests/fuzz/support.h"

using namespace orepa;

int main(int argc, char** argv) {
  if (argc != 2) return std::fprintf(stderr, "usage: fuzz_seeds FOLDER\n"), 2;
  const std::string folder = std::string(argv[1]) + "/";
  for (const char* target : {"caffemodel", "solverstate", "idx"})
    std::filesystem::create_directories(folder + target);

  fuzz::SmallNet small(Phase::kTrain);
  save_weights(folder + "caffemodel/seed.caffemodel", small.spec, small.parameters);
  SnapshotState state;
  state.iteration = 1;
  state.device = small.device->description();
  const Momentum momentum(small.parameters);
  Snapshot(state, small.spec, small.parameters, momentum, false).write(folder + "solverstate/seed");
  // solverstate.cpp has its own.
  std::filesystem::remove(folder + "solverstate/seed_iter_1.caffemodel");

  const std::string labels = idx({2}, std::string(2, '\1')),
                    images = idx({2, 3, 3}, std::string(18, 'x'));
  const std::string head{'\0', '\0', static_cast<char>(labels.size())};
  const std::string pair = head + labels + images;
  fuzz::write_file(folder + "idx/seed", reinterpret_cast<const uint8_t*>(pair.data()), pair.size());
  return 0;
}
