// Launches of kernels, and what a device would refuse of them.
#include <sys/mman.h>

#include <cstring>

#include "tests/cudaemu/blocks.h"
#include "tests/cudaemu/cuda_emu.h"
#include "tests/cudaemu/errors.h"
#include "tests/cudaemu/memory.h"
#include "tests/cudaemu/streams.h"
#include "tests/cudaemu/violation.h"

namespace cudaemu {
namespace {

constexpr unsigned kMostThreads = 1024, kMostThreadsZ = 64, kMostBlocksX = 2147483647,
                   kMostBlocksYZ = 65535;

bool possible(dim3 grid, dim3 block) {
  const uint64_t threads = uint64_t{block.x} * block.y * block.z;
  const auto in = [](unsigned count, unsigned most) { return count >= 1 && count <= most; };
  return in(block.x, kMostThreads) && in(block.y, kMostThreads) && in(block.z, kMostThreadsZ) &&
         threads <= kMostThreads && in(grid.x, kMostBlocksX) && in(grid.y, kMostBlocksYZ) &&
         in(grid.z, kMostBlocksYZ);
}

// Whether something of the host's lies at an address. Below the lowest one are two small numbers
// of 32 bits, and AddressSanitizer's own memory.
bool mapped(uint64_t address) {
  constexpr uint64_t kPage = 4096, kLowest = uint64_t{1} << 45, kEnd = uint64_t{1} << 47;
  if (address < kLowest || address >= kEnd) return false;
  unsigned char resident;
  return mincore(reinterpret_cast<void*>(address / kPage * kPage), 1, &resident) == 0;
}

}  // namespace

cudaError_t issue_launch(const cudaLaunchConfig_t& config, Kernel kernel) {
  if (!possible(config.gridDim, config.blockDim)) return failed(cudaErrorInvalidConfiguration);
  if (config.dynamicSmemBytes != 0 || config.numAttrs != 0)
    violation("a launch with dynamic shared memory or attributes, which are not emulated: ",
              kernel.name);
  enqueue(config.stream, kernel.name, {},
          [grid = config.gridDim, block = config.blockDim, kernel = std::move(kernel)] {
            run_grid(grid, block, kernel);
          });
  return cudaSuccess;
}

// Every word that could be one: numbers of a kernel are no addresses of something.
void check_argument(const char* kernel, const void* argument, size_t bytes) {
  const char* begin = static_cast<const char*>(argument);
  if (reinterpret_cast<size_t>(begin) % sizeof(uint64_t) != 0) return;
  for (size_t i = 0; i + sizeof(uint64_t) <= bytes; i += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, begin + i, sizeof(word));
    const auto* address = reinterpret_cast<const void*>(word);
    if (is_device_address(address) || is_pinned({address, 0}) || !mapped(word)) continue;
    violation("a kernel is given an address of the host's memory, ", address, ", at byte ", i,
              " of an argument: ", kernel);
  }
}

}  // namespace cudaemu
