#pragma once
#include "backend/cuda/check.h"

namespace orepa::cuda {

// A stream of the calling thread's current device, which waits for no other one by itself.
class Stream {
 public:
  Stream() {
    require_success(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking),
                    "a CUDA stream cannot be made");
  }
  ~Stream() { cudaStreamDestroy(stream_); }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  cudaStream_t get() const { return stream_; }
  void synchronize() const {
    require_success(cudaStreamSynchronize(stream_), "work on the CUDA device failed");
  }

 private:
  cudaStream_t stream_ = nullptr;
};

}  // namespace orepa::cuda
