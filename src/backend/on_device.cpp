#include "backend/cuda/nccl_communicator.h"

namespace orepa {

std::shared_ptr<Communicator> on_device(std::shared_ptr<Communicator> ranks, Device& device) {
  if (ranks == nullptr || !device.is_cuda()) return ranks;
  return cuda::make_nccl_communicator(std::move(ranks), device);
}

}  // namespace orepa
