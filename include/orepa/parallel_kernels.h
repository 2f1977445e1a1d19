// The loops of parallel.h as CUDA kernels. Included by it alone, where a file is compiled by nvcc,
// or by a C++ compiler for the emulation of CUDA on the CPU (CUDAEMU).
//
// Blocks have 256 threads, a multiple of a warp; no thread leaves a kernel before a barrier or a
// shuffle; sums are taken in a fixed order, so that every run gives the same bits.
#pragma once
#include <algorithm>
#include <cstdint>
#include <cstring>
#include <type_traits>

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

// Each loop below is a kernel of blocks of kThreads threads: how many blocks it wants, and what the
// threads of one block of so many do.

inline int64_t blocks_of(int64_t count, int64_t a_block) { return (count + a_block - 1) / a_block; }

template <class F>
struct EachLoop {
  int64_t n;
  F f;
  int64_t blocks() const { return blocks_of(n, kThreads); }
  __device__ void run(int64_t block, int64_t blocks) const {
    for (int64_t i = block * kThreads + threadIdx.x; i < n; i += blocks * kThreads) f(i);
  }
};

template <class F, class Values>
struct EachWithValuesLoop {
  int64_t n;
  F f;
  const Values* from;
  int64_t blocks() const { return blocks_of(n, kThreads); }
  __device__ void run(int64_t block, int64_t blocks) const {
    const Values values = *from;
    for (int64_t i = block * kThreads + threadIdx.x; i < n; i += blocks * kThreads) f(i, values);
  }
};

// A block has rows of 2^shift threads: as many as a row has columns, rounded up, but all at most.
template <class F>
struct RowsLoop {
  int64_t rows, columns;
  int shift;
  F f;
  RowsLoop(int64_t rows, int64_t columns, F f) : rows(rows), columns(columns), shift(0), f(f) {
    while (1 << shift < kThreads && 1 << shift < columns) ++shift;
  }
  int64_t blocks() const { return blocks_of(rows, kThreads >> shift); }
  __device__ void run(int64_t block, int64_t blocks) const {
    const int64_t height = kThreads >> shift, width = int64_t{1} << shift;
    for (int64_t r = block * height + (threadIdx.x >> shift); r < rows; r += blocks * height)
      for (int64_t j = threadIdx.x & (width - 1); j < columns; j += width) f(r, j);
  }
};

// Every lane gets the whole.
__device__ inline double warp_sum(double value) {
  for (int half = kWarp / 2; half > 0; half /= 2)
    value += __shfl_xor_sync(0xffffffffu, value, half);
  return value;
}

constexpr int64_t kWarps = kThreads / kWarp;  // of a block

// out[r] = or += the sum of f(r, j) over j, a warp a row.
template <class F, class Out>
struct ShortRowSums {
  int64_t rows, columns;
  F f;
  bool accumulate;
  Out* out;
  int64_t blocks() const { return blocks_of(rows, kWarps); }
  __device__ void run(int64_t block, int64_t blocks) const {
    const int64_t lane = threadIdx.x % kWarp;
    for (int64_t first = block * kWarps; first < rows; first += blocks * kWarps) {
      const int64_t r = first + threadIdx.x / kWarp;
      double sum = 0;
      if (r < rows)
        for (int64_t j = lane; j < columns; j += kWarp) sum += f(r, j);
      sum = warp_sum(sum);
      if (r < rows && lane == 0) out[r] = (accumulate ? out[r] : Out{0}) + static_cast<Out>(sum);
    }
  }
};

// A block a row: each thread sums its share, then each warp, then the first one.
template <class F, class Out>
struct LongRowSums {
  int64_t rows, columns;
  F f;
  bool accumulate;
  Out* out;
  int64_t blocks() const { return rows; }
  __device__ void run(int64_t block, int64_t blocks) const {
    OREPA_SHARED(double, of_warp, kWarps);
    for (int64_t r = block; r < rows; r += blocks) {
      double sum = 0;
      for (int64_t j = threadIdx.x; j < columns; j += kThreads) sum += f(r, j);
      sum = warp_sum(sum);
      if (threadIdx.x % kWarp == 0) of_warp[threadIdx.x / kWarp] = sum;
      __syncthreads();
      if (threadIdx.x == 0) {
        sum = 0;
        for (int64_t warp = 0; warp < kWarps; ++warp) sum += of_warp[warp];
        out[r] = (accumulate ? out[r] : Out{0}) + static_cast<Out>(sum);
      }
      __syncthreads();
    }
  }
};

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

// A warp a team.
template <class F>
struct TeamsLoop {
  int64_t rows;
  F f;
  int64_t blocks() const { return blocks_of(rows, kWarps); }
  __device__ void run(int64_t block, int64_t blocks) const {
    for (int64_t r = block * kWarps + threadIdx.x / kWarp; r < rows; r += blocks * kWarps)
      f(r, WarpTeam());
  }
};

template <class Loop>
__global__ void kernel(const __grid_constant__ Loop loop) {
  loop.run(blockIdx.x, gridDim.x);
}

// Loops of one type in one launch: as many as the parameters of a kernel have room for.
template <class Loop>
struct LoopsTogether {
  static constexpr int64_t kParameterBytes = 4096;
  static constexpr int64_t kMost = std::max<int64_t>(
      1, (kParameterBytes - 64) / static_cast<int64_t>(sizeof(Loop) + sizeof(int)));

  int first_block[kMost + 1];  // of each; behind the last, how many there are
  alignas(Loop) unsigned char bytes[kMost * sizeof(Loop)];

  __host__ __device__ const Loop& loop(int64_t which) const {
    return reinterpret_cast<const Loop*>(bytes)[which];
  }
};

template <class Loop>
__global__ void kernel_of_loops(const __grid_constant__ LoopsTogether<Loop> all) {
  const int block = static_cast<int>(blockIdx.x);
  int which = 0;
  while (block >= all.first_block[which + 1]) ++which;
  const int first = all.first_block[which];
  all.loop(which).run(block - first, all.first_block[which + 1] - first);
}

// The only kernel launch. Errors of the launch itself are told here, those of the kernel later, by
// whoever waits.
template <class Parameter>
void launch_kernel(const Device& device, int64_t blocks, void (*kernel)(Parameter),
                   const Parameter& parameter) {
  device.count_launch();
  device.make_current();
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(static_cast<unsigned>(blocks));
  config.blockDim = dim3(static_cast<unsigned>(kThreads));
  config.stream = static_cast<cudaStream_t>(device.stream());
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, parameter);
  require(error == cudaSuccess, "a kernel cannot be launched: ", cudaGetErrorString(error));
}

// The launch of a CollectedLoop: `loops` are of type Loop.
template <class Loop>
void launch_together(const Device& device, const void* const* loops, int64_t count) {
  const auto loop = [&](int64_t which) { return static_cast<const Loop*>(loops[which]); };
  const auto blocks = [&](int64_t which) { return std::min(loop(which)->blocks(), kMostBlocks); };
  using All = LoopsTogether<Loop>;
  static_assert(sizeof(All) <= All::kParameterBytes);
  for (int64_t begin = 0, end = 0; begin < count; begin = end) {
    end = std::min(count, begin + All::kMost);
    if (end - begin == 1) {
      launch_kernel<Loop>(device, blocks(begin), kernel<Loop>, *loop(begin));
      continue;
    }
    All all{};
    for (int64_t which = begin; which < end; ++which) {
      std::memcpy(all.bytes + (which - begin) * sizeof(Loop), loop(which), sizeof(Loop));
      all.first_block[which - begin + 1] =
          all.first_block[which - begin] + static_cast<int>(blocks(which));
    }
    launch_kernel<All>(device, all.first_block[end - begin], kernel_of_loops<Loop>, all);
  }
}

template <class Loop>
void launch(const Device& device, const Loop& loop) {
  static_assert(std::is_trivially_copyable_v<Loop>);
  if (device.collect({launch_together<Loop>, &loop, sizeof(Loop)})) return;
  const void* const one = &loop;
  launch_together<Loop>(device, &one, 1);
}

}  // namespace orepa::inline with_kernels::parallel
