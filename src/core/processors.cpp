#include "core/processors.h"

#include <omp.h>

#include <algorithm>
#include <thread>

namespace orepa {
namespace {

int taken = 0;  // 0: nobody has said how many

}  // namespace

int processors() { return taken > 0 ? taken : omp_get_num_procs(); }

void take_processors(int count) { taken = count; }

int part_of_machine(int processes) {
  const int usable = omp_get_num_procs();
  const bool bound = usable < static_cast<int>(std::thread::hardware_concurrency());
  return bound ? usable : std::max(1, usable / processes);
}

}  // namespace orepa
