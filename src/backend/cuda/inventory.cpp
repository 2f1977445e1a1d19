#include "backend/cuda/inventory.h"

#include "backend/cuda/check.h"
#include "backend/cuda/driver.h"
#include "backend/cuda/libraries.h"
#include "backend/cuda/nccl_communicator.h"

namespace orepa::cuda {
namespace {

Gpu describe(int index) {
  cudaDeviceProp properties{};
  require_success(cudaGetDeviceProperties(&properties, index), "CUDA device ", index,
                  " does not tell its properties");
  size_t available = 0, all = 0;
  require_success(cudaSetDevice(index), "CUDA device ", index, " cannot be used");
  require_success(cudaMemGetInfo(&available, &all), "CUDA device ", index,
                  " does not tell its memory");
  return {.name = properties.name,
          .major = properties.major,
          .minor = properties.minor,
          .multiprocessors = properties.multiProcessorCount,
          .free_bytes = static_cast<int64_t>(available),
          .total_bytes = static_cast<int64_t>(all)};
}

}  // namespace

Inventory take_inventory() {
  const auto version_or_reason = [](std::string (*load)()) -> std::string {
    try {
      return load();
    } catch (const Error& error) {
      return error.what();
    }
  };
  Inventory inventory;
  inventory.program = "built with CUDA " + version(CUDART_VERSION);
  inventory.libraries = version_or_reason(load_library_versions);
  inventory.nccl = version_or_reason(nccl_version);
  int count = 0;
  try {
    count = count_devices("a CUDA device");
    inventory.driver = "for CUDA " + version(driver_version());
  } catch (const Error& error) {
    inventory.driver = error.what();
  }
  for (int index = 0; index < count; ++index) inventory.gpus.push_back(describe(index));
  return inventory;
}

}  // namespace orepa::cuda
