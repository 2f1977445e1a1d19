#include "tests/cudaemu/violation.h"

#include <cstdlib>
#include <iostream>

#include "tests/cudaemu/cuda_emu.h"

namespace cudaemu {

constinit thread_local Running running;

void report_violation(const std::string& message) {
  std::cerr << "CUDA emulation: " << message;
  if (running.work != nullptr) std::cerr << "; in " << running.work;
  if (running.kernel)
    std::cerr << ", block (" << blockIdx.x << ", " << blockIdx.y << ", " << blockIdx.z
              << "), thread (" << threadIdx.x << ", " << threadIdx.y << ", " << threadIdx.z << ")";
  std::cerr << std::endl;
  std::abort();
}

}  // namespace cudaemu
