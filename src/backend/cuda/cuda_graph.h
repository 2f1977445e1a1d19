// CudaGraph: work that was issued to a stream once, to be launched again as one.
#pragma once
#include <cuda_runtime.h>

#include <cstdint>
#include <functional>
#include <initializer_list>

#include "orepa/device.h"

namespace orepa::cuda {

// What was issued, in its order, as far as addresses tell.
class CallSequence {
 public:
  void add(std::initializer_list<const void*> addresses);
  int64_t count() const { return count_; }
  bool operator==(const CallSequence&) const = default;

 private:
  uint64_t hash_ = 0xcbf29ce484222325u;  // FNV-1a
  int64_t count_ = 0;
};

class CudaGraph : public Device::Recording {
 public:
  // Captures what issue() gives to the stream, instead of running it.
  CudaGraph(cudaStream_t stream, const std::function<void()>& issue);
  ~CudaGraph() override;
  void launch(cudaStream_t stream) const;

  CallSequence calls;  // of issue(), as its device has seen them

 private:
  cudaGraphExec_t graph_ = nullptr;
};

}  // namespace orepa::cuda
