// What a program built without the CUDA Toolkit says when it is asked for its devices.
#include "backend/cuda/cuda_device.h"
#include "backend/cuda/inventory.h"
#include "backend/cuda/nccl_communicator.h"
#include "orepa/error.h"

namespace orepa::cuda {

std::unique_ptr<Device> make_cuda_device(const std::string& name, const DeviceOptions&) {
  fail("device \"", name, "\": this program was built without CUDA; install the CUDA Toolkit 13 ",
       "with cuDNN 9 and build it again with -DOREPA_CUDA=ON, or use --device cpu");
}

Inventory take_inventory() {
  Inventory none;
  none.program = "built without CUDA (-DOREPA_CUDA=ON)";
  return none;
}

std::shared_ptr<Communicator> make_nccl_communicator(std::shared_ptr<Communicator>,
                                                     Device& device) {
  fail(device.description(), ": this program was built without CUDA");
}

}  // namespace orepa::cuda
