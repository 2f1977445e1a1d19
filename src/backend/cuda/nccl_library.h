// NCCL, which a program loads where its device has ranks: it is large. Only src/backend/cuda
// includes this.
#pragma once
#include <nccl.h>

#include <string>

namespace orepa::cuda {

// Its functions, by their names.
struct Nccl {
  decltype(ncclGetVersion)* version;
  decltype(ncclGetUniqueId)* unique_id;
  decltype(ncclCommInitRankConfig)* join;
  decltype(ncclCommGetAsyncError)* state;
  decltype(ncclAllReduce)* all_reduce;
  decltype(ncclCommAbort)* abort;
  decltype(ncclGetErrorString)* error_string;
  decltype(ncclGetLastError)* last_error;
};

// Throws Error where it is missing.
const Nccl& load_nccl();

}  // namespace orepa::cuda
