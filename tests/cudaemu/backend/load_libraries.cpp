// In the emulation cuBLAS, cuDNN and NCCL are linked, not loaded.
#include "backend/cuda/libraries.h"
#include "backend/cuda/nccl.h"

namespace orepa::cuda {

std::string load_library_versions() { return library_versions(); }

std::unique_ptr<Libraries> load_libraries(Device& device, const DeviceOptions& options) {
  return make_libraries(device, options);
}

std::string load_nccl_version() { return nccl_version(); }

std::shared_ptr<Communicator> load_nccl_communicator(std::shared_ptr<Communicator> ranks,
                                                     Device& device) {
  return make_nccl_communicator(std::move(ranks), device);
}

}  // namespace orepa::cuda
