// The loops of parallel.h as CUDA kernels. Included by it alone, where a file is compiled by nvcc,
// or by a C++ compiler for the emulation of CUDA on the CPU (CUDAEMU).
//
// Blocks have 256 threads, a multiple of a warp; no thread leaves a kernel before a barrier or a
// shuffle; sums are taken in a fixed order, so that every run gives the same bits.
#pragma once
#include <algorithm>
#include <cstdint>

#include "orepa/device.h"
#include "orepa/error.h"

namespace orepa::inline with_kernels::parallel {

constexpr int64_t kThreads = 256, kWarp = 32;
constexpr int64_t kMostBlocks = 65536;  // of one launch; kernels stride over what is beyond
constexpr int64_t kRowOfAWarp = 1024;   // columns up to which a warp sums a row, beyond it a block

// How kernels have shared memory: of 48 KiB at most, one-dimensional.
#ifdef CUDAEMU
#define OREPA_SHARED(T, name, count) \
  static const char name##_key = 0;  \
  T* const name = static_cast<T*>(   \
      ::cudaemu::shared_static(&name##_key, sizeof(T) * (count), alignof(T), #name))
#else
#define OREPA_SHARED(T, name, count) __shared__ T name[count]
#endif

// The only kernel launch. Errors of the launch itself are told here, those of the kernel later, by
// whoever waits.
template <class... Parameters, class... Arguments>
void launch(const Device& device, int64_t blocks, dim3 threads, void (*kernel)(Parameters...),
            const Arguments&... arguments) {
  device.count_launch();
  device.make_current();
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(std::min(blocks, kMostBlocks)));
  config.blockDim = threads;
  config.stream = static_cast<cudaStream_t>(device.stream());
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, arguments...);
  require(error == cudaSuccess, "a kernel cannot be launched: ", cudaGetErrorString(error));
}

// As many threads along a row as it has columns, rounded up to a power of two, and so many rows
// that a block is full.
inline dim3 threads_of_rows(int64_t columns) {
  unsigned x = 1;
  while (x < kThreads && x < columns) x *= 2;
  return dim3(x, static_cast<unsigned>(kThreads) / x);
}
inline int64_t blocks_of(int64_t count, int64_t a_block) { return (count + a_block - 1) / a_block; }

template <class F>
__global__ void for_kernel(int64_t n, F f) {
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x; i < n; i += step) f(i);
}

template <class F, class Values>
__global__ void for_with_kernel(int64_t n, F f, const Values* from) {
  const Values values = *from;
  const int64_t step = int64_t{gridDim.x} * blockDim.x;
  for (int64_t i = blockIdx.x * int64_t{blockDim.x} + threadIdx.x; i < n; i += step) f(i, values);
}

template <class F>
__global__ void rows_kernel(int64_t rows, int64_t columns, F f) {
  const int64_t step = int64_t{gridDim.x} * blockDim.y;
  for (int64_t r = blockIdx.x * int64_t{blockDim.y} + threadIdx.y; r < rows; r += step)
    for (int64_t j = threadIdx.x; j < columns; j += blockDim.x) f(r, j);
}

// Every lane gets the whole.
__device__ inline double warp_sum(double value) {
  for (int half = kWarp / 2; half > 0; half /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, half);
  return value;
}

// Blocks of 8 warps, a row each.
template <class F, class Out>
__global__ void reduce_short_rows_kernel(int64_t rows, int64_t columns, F f, bool accumulate,
                                         Out* out) {
  const int64_t step = int64_t{gridDim.x} * blockDim.y;
  for (int64_t first = blockIdx.x * int64_t{blockDim.y}; first < rows; first += step) {
    const int64_t r = first + threadIdx.y;
    double sum = 0;
    if (r < rows)
      for (int64_t j = threadIdx.x; j < columns; j += kWarp) sum += f(r, j);
    sum = warp_sum(sum);
    if (r < rows && threadIdx.x == 0)
      out[r] = (accumulate ? out[r] : Out{0}) + static_cast<Out>(sum);
  }
}

// A block a row: each thread sums its share, then each warp, then the first one.
template <class F, class Out>
__global__ void reduce_long_rows_kernel(int64_t rows, int64_t columns, F f, bool accumulate,
                                        Out* out) {
  OREPA_SHARED(double, of_warp, kThreads / kWarp);
  for (int64_t r = blockIdx.x; r < rows; r += gridDim.x) {
    double sum = 0;
    for (int64_t j = threadIdx.x; j < columns; j += kThreads) sum += f(r, j);
    sum = warp_sum(sum);
    if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = sum;
    __syncthreads();
    if (threadIdx.x == 0) {
      sum = 0;
      for (int64_t warp = 0; warp < kThreads / kWarp; ++warp) sum += of_warp[warp];
      out[r] = (accumulate ? out[r] : Out{0}) + static_cast<Out>(sum);
    }
    __syncthreads();
  }
}

template <class F, class Out>
void launch_reduce_rows(const Device& device, int64_t rows, int64_t columns, const F& f,
                        bool accumulate, Out* out) {
  if (columns <= kRowOfAWarp)
    launch(device, blocks_of(rows, kThreads / kWarp), dim3(kWarp, kThreads / kWarp),
           reduce_short_rows_kernel<F, Out>, rows, columns, f, accumulate, out);
  else
    launch(device, rows, dim3(kThreads), reduce_long_rows_kernel<F, Out>, rows, columns, f,
           accumulate, out);
}

// A warp as the team of parallel_teams(). (The host side of a functor never gets one.)
struct WarpTeam {
  __host__ __device__ int64_t first() const { return thread() % kWarp; }
  __host__ __device__ int64_t step() const { return kWarp; }
  __host__ __device__ float sum(float value) const {
    for (int half = kWarp / 2; half > 0; half /= 2) value += other(value, half);
    return value;
  }
  __host__ __device__ float max(float value) const {
    for (int half = kWarp / 2; half > 0; half /= 2) {
      const float second = other(value, half);
      value = second > value ? second : value;
    }
    return value;
  }

 private:
#if defined(__CUDA_ARCH__) || defined(CUDAEMU)
  __host__ __device__ static int64_t thread() { return threadIdx.x; }
  __host__ __device__ static float other(float value, int half) {
    return __shfl_xor_sync(0xffffffffu, value, half);
  }
#else
  static int64_t thread() { return 0; }
  static float other(float value, int) { return value; }
#endif
};

// Blocks of 8 teams.
template <class F>
__global__ void teams_kernel(int64_t rows, F f) {
  const int64_t step = int64_t{gridDim.x} * blockDim.y;
  for (int64_t r = blockIdx.x * int64_t{blockDim.y} + threadIdx.y; r < rows; r += step)
    f(r, WarpTeam());
}

}  // namespace orepa::inline with_kernels::parallel
