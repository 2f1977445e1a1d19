#include "backend/cuda/driver.h"

#include "backend/cuda/check.h"

namespace orepa::cuda {

std::string version(int number) { return text(number / 1000, ".", number % 1000 / 10); }

int driver_version() {
  int driver = 0;
  require_success(cudaDriverGetVersion(&driver), "the NVIDIA driver does not tell its version");
  return driver;
}

int count_devices(const std::string& what) {
  int count = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error != cudaErrorInsufficientDriver && error != cudaErrorNoDevice) {
    require_success(error, what, ": the CUDA devices cannot be counted");
    return count;
  }
  cudaGetLastError();
  const int driver = driver_version();
  require(driver != 0, what, " needs an NVIDIA driver, and none is installed (no libcuda.so.1): ",
          "install it, or use --device cpu");
  require(error == cudaErrorNoDevice, what, " needs a driver for CUDA ", version(CUDART_VERSION),
          ", this one is for CUDA ", version(driver), ": install a newer one, or use --device cpu");
  return 0;
}

}  // namespace orepa::cuda
