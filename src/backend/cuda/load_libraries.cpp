#include <dlfcn.h>

#include "backend/cuda/libraries.h"
#include "backend/cuda/nccl.h"
#include "orepa/error.h"

namespace orepa::cuda {
namespace {

struct SharedObject {
  const char *name, *user, *libraries;
};
constexpr SharedObject kCuda{"liborepa_cuda.so", "a CUDA device", "cuDNN 9 and cuBLAS 13"};
constexpr SharedObject kNccl{"liborepa_nccl.so", "a training on several GPUs", "NCCL 2"};

template <class Door>
Door* door(const SharedObject& object, const char* name) {
  // Beside the program; never closed, since plans may live as long as the process.
  void* loaded = dlopen(object.name, RTLD_NOW);
  require(loaded != nullptr, object.user, " needs ", object.name, " beside the program, and ",
          object.libraries, ": ", dlerror(),
          "; name the libraries' folder in LD_LIBRARY_PATH, or use --device cpu");
  const auto function = reinterpret_cast<Door*>(dlsym(loaded, name));
  require(function != nullptr, object.name, " is of another build: ", dlerror());
  return function;
}

}  // namespace

std::string load_library_versions() {
  std::string versions;
  door<VersionsDoor>(kCuda, kVersionsDoor)(versions);
  return versions;
}

std::unique_ptr<Libraries> load_libraries(Device& device, const DeviceOptions& options) {
  return std::unique_ptr<Libraries>(door<LibrariesDoor>(kCuda, kLibrariesDoor)(device, options));
}

std::string load_nccl_version() {
  std::string version;
  door<VersionsDoor>(kNccl, kNcclVersionDoor)(version);
  return version;
}

std::shared_ptr<Communicator> load_nccl_communicator(std::shared_ptr<Communicator> ranks,
                                                     Device& device) {
  door<NcclDoor>(kNccl, kNcclDoor)(ranks, device);
  return ranks;
}

}  // namespace orepa::cuda
