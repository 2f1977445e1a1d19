// In the emulation cuBLAS and cuDNN are linked, not loaded.
#include "backend/cuda/libraries.h"

namespace orepa::cuda {

std::string load_library_versions() { return library_versions(); }

std::unique_ptr<Libraries> load_libraries(Device& device, const DeviceOptions& options) {
  return make_libraries(device, options);
}

}  // namespace orepa::cuda
