// In the emulation NCCL is linked, not loaded.
#include "backend/cuda/nccl_library.h"

namespace orepa::cuda {

const Nccl& load_nccl() {
  static const Nccl nccl{ncclGetVersion,        ncclGetUniqueId, ncclCommInitRankConfig,
                         ncclCommGetAsyncError, ncclAllReduce,   ncclCommAbort,
                         ncclGetErrorString,    ncclGetLastError};
  return nccl;
}

}  // namespace orepa::cuda
