#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace orepa::cuda {

struct Gpu {
  std::string name;
  int major = 0, minor = 0;  // compute capability
  int multiprocessors = 0;
  int64_t free_bytes = 0, total_bytes = 0;  // of its memory
};

// What there is of CUDA, for people. The words say what there is, or why there is none.
struct Inventory {
  std::string program;    // "built with CUDA 13.0"; all else is empty where it was built without
  std::string driver;     // "for CUDA 13.0"
  std::string libraries;  // "cuBLAS 13.1, cuDNN 9.19"
  std::string nccl;       // "NCCL 2.28.9"
  std::vector<Gpu> gpus;  // cuda:0, cuda:1, ...
};
// Throws Error where a device is there and cannot be asked.
Inventory take_inventory();

}  // namespace orepa::cuda
