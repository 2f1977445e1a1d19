#include <dlfcn.h>

#include "backend/cuda/libraries.h"
#include "orepa/error.h"

namespace orepa::cuda {

std::unique_ptr<Libraries> load_libraries(Device& device, const DeviceOptions& options) {
  // Beside the program; never closed, since plans may live as long as the process.
  void* object = dlopen("liborepa_cuda.so", RTLD_NOW);
  require(object != nullptr,
          "a CUDA device needs cuDNN 9 and cuBLAS 13, which cannot be loaded: ", dlerror(),
          "; name their folder in LD_LIBRARY_PATH, or use --device cpu");
  const auto door = reinterpret_cast<LibrariesDoor*>(dlsym(object, kLibrariesDoor));
  require(door != nullptr, "liborepa_cuda.so is of another build: ", dlerror());
  return std::unique_ptr<Libraries>(door(device, options));
}

}  // namespace orepa::cuda
