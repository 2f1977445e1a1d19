#pragma once
#include <memory>
#include <string>

#include "orepa/communicator.h"
#include "orepa/device.h"

namespace orepa::cuda {

// As on_device(). In a program built without CUDA it says so.
std::shared_ptr<Communicator> make_nccl_communicator(std::shared_ptr<Communicator> ranks,
                                                     Device& device);

std::string nccl_version();  // "NCCL 2.28.9"; throws Error where it is missing

}  // namespace orepa::cuda
