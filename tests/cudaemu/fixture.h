// What the tests of the emulation share: two streams, and device memory that they read and write.
#pragma once
#include <gtest/gtest.h>

#include <numeric>
#include <vector>

#include "tests/cudaemu/cuda_emu.h"

namespace cudaemu {

class Emulation : public testing::Test {
 protected:
  Emulation() {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    EXPECT_EQ(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking), cudaSuccess);
    EXPECT_EQ(cudaStreamCreateWithFlags(&other_, cudaStreamNonBlocking), cudaSuccess);
  }
  ~Emulation() override {
    EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(other_), cudaSuccess);
    for (void* memory : memory_) EXPECT_EQ(cudaFree(memory), cudaSuccess);
  }

  // Never written.
  template <class T = float>
  T* device(size_t count) {
    void* memory;
    EXPECT_EQ(cudaMalloc(&memory, count * sizeof(T)), cudaSuccess);
    memory_.push_back(memory);
    return static_cast<T*>(memory);
  }
  template <class T>
  T* device(const std::vector<T>& values) {
    T* memory = device<T>(values.size());
    EXPECT_EQ(cudaMemcpyAsync(memory, values.data(), values.size() * sizeof(T),
                              cudaMemcpyHostToDevice, stream_),
              cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    return memory;
  }
  // When the stream gets there.
  template <class T>
  std::vector<T> read(const T* memory, size_t count, cudaStream_t stream) {
    std::vector<T> values(count);
    EXPECT_EQ(
        cudaMemcpyAsync(values.data(), memory, count * sizeof(T), cudaMemcpyDeviceToHost, stream),
        cudaSuccess);
    return values;
  }
  template <class T>
  std::vector<T> read(const T* memory, size_t count) {
    return read(memory, count, stream_);
  }

  static float* pinned(size_t count) {
    void* memory;
    EXPECT_EQ(cudaMallocHost(&memory, count * sizeof(float)), cudaSuccess);
    return static_cast<float*>(memory);
  }

  template <class... Parameters, class... Arguments>
  static cudaError_t launch(cudaStream_t stream, dim3 blocks, dim3 threads,
                            void (*kernel)(Parameters...), const Arguments&... arguments) {
    cudaLaunchConfig_t config{};
    config.gridDim = blocks;
    config.blockDim = threads;
    config.stream = stream;
    return cudaLaunchKernelEx(&config, kernel, arguments...);
  }

  cudaStream_t stream_, other_;

 private:
  std::vector<void*> memory_;
};

// y[i] = x[i] + 1, by one block.
__global__ inline void add_one(const float* x, float* y) { y[threadIdx.x] = x[threadIdx.x] + 1; }

// 0, 1, ...
inline std::vector<float> ascending(size_t count, float first = 0) {
  std::vector<float> values(count);
  std::iota(values.begin(), values.end(), first);
  return values;
}

}  // namespace cudaemu
