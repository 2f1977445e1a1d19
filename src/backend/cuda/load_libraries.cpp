#include <dlfcn.h>

#include "backend/cuda/libraries.h"
#include "orepa/error.h"

namespace orepa::cuda {
namespace {

template <class Door>
Door* door(const char* name) {
  // Beside the program; never closed, since plans may live as long as the process.
  void* object = dlopen("liborepa_cuda.so", RTLD_NOW);
  require(object != nullptr,
          "a CUDA device needs liborepa_cuda.so beside the program, cuDNN 9 and cuBLAS 13: ",
          dlerror(), "; name the libraries' folder in LD_LIBRARY_PATH, or use --device cpu");
  const auto function = reinterpret_cast<Door*>(dlsym(object, name));
  require(function != nullptr, "liborepa_cuda.so is of another build: ", dlerror());
  return function;
}

}  // namespace

std::string load_library_versions() {
  std::string versions;
  door<VersionsDoor>(kVersionsDoor)(versions);
  return versions;
}

std::unique_ptr<Libraries> load_libraries(Device& device, const DeviceOptions& options) {
  return std::unique_ptr<Libraries>(door<LibrariesDoor>(kLibrariesDoor)(device, options));
}

}  // namespace orepa::cuda
