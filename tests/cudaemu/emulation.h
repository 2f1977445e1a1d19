// What an emulated library (cuBLAS, cuDNN) needs of the emulated device.
//
// The emulation takes the place of libcudart: it has the functions that the CUDA backend calls,
// with the signatures of the real headers; one that nobody calls is missing, and the linker says
// so. There are three devices. One thread at a time may use them; each has a current device of its
// own. Streams are queues: nothing runs before somebody waits for it, a stream runs as late as is
// allowed, and only events order streams.
//
// It says nothing of speed, of work that runs at the same time, and of rounding that is the
// device's own (TF32, tensor cores). The null stream, dynamic shared memory, launches with
// attributes and capture of several streams are refused; atomics and warp votes do not exist.
#pragma once
#include <cuda_runtime_api.h>

#include <cstddef>
#include <functional>
#include <vector>

namespace cudaemu {

// The calling thread's, which cudaSetDevice() chooses.
int current_device();

struct MemoryRange {
  const void* data;
  size_t bytes;
};

// A violation, which names `what`, where the range isn't inside one live allocation of the device.
void require_device(MemoryRange range, const char* what);

// Puts `run` into the stream, to be called when all before it has run; where the stream is
// captured, into the graph, and called at each launch. `memory` is all of the device's memory that
// it touches, which is checked here and accessible, from OpenMP's threads too, while `run` runs. A
// violation where the stream is not of the current device.
// `name` stands in messages, and stays.
void enqueue(cudaStream_t stream, const char* name, std::vector<MemoryRange> memory,
             std::function<void()> run);

}  // namespace cudaemu
