// Sums over ranks on CUDA devices, by NCCL. It is large, so a program loads it where a device has
// ranks: in a shared object of its own, whose only door is make_nccl_communicator().
#pragma once
#include <memory>
#include <string>

#include "orepa/communicator.h"
#include "orepa/device.h"

namespace orepa::cuda {

// As on_device(). In the shared object.
std::shared_ptr<Communicator> make_nccl_communicator(std::shared_ptr<Communicator> ranks,
                                                     Device& device);
using NcclDoor = void(std::shared_ptr<Communicator>& ranks, Device& device);
constexpr char kNcclDoor[] = "orepa_nccl_communicator";  // by its name in C; it replaces `ranks`

std::string nccl_version();  // "NCCL 2.28.9"; in the shared object
constexpr char kNcclVersionDoor[] = "orepa_nccl_version";

// The same, in the program: these load the shared object first. Throw Error where it or NCCL is
// missing.
std::shared_ptr<Communicator> load_nccl_communicator(std::shared_ptr<Communicator> ranks,
                                                     Device& device);
std::string load_nccl_version();

}  // namespace orepa::cuda
