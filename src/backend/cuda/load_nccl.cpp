#include <dlfcn.h>

#include "backend/cuda/nccl_library.h"
#include "orepa/error.h"

namespace orepa::cuda {
namespace {

template <class Function>
void find(void* library, const char* name, Function*& function) {
  function = reinterpret_cast<Function*>(dlsym(library, name));
  require(function != nullptr, "libnccl.so.2 is too old: ", dlerror());
}

Nccl load() {
  void* library = dlopen("libnccl.so.2", RTLD_NOW);
  require(library != nullptr, "a training on several GPUs needs NCCL 2: ", dlerror(),
          "; install it, or name its folder in LD_LIBRARY_PATH");
  Nccl nccl{};
  find(library, "ncclGetVersion", nccl.version);
  find(library, "ncclGetUniqueId", nccl.unique_id);
  find(library, "ncclCommInitRankConfig", nccl.join);
  find(library, "ncclCommGetAsyncError", nccl.state);
  find(library, "ncclAllReduce", nccl.all_reduce);
  find(library, "ncclCommAbort", nccl.abort);
  find(library, "ncclGetErrorString", nccl.error_string);
  find(library, "ncclGetLastError", nccl.last_error);
  return nccl;
}

}  // namespace

const Nccl& load_nccl() {
  static const Nccl nccl = load();
  return nccl;
}

}  // namespace orepa::cuda
