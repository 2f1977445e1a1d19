// Threads of a block and lanes of a warp: what they may do together, and what they may not.
#include <gmock/gmock.h>

#include <cmath>

#include "orepa/parallel.h"
#include "tests/cudaemu/fixture.h"

namespace cudaemu {
namespace {

using testing::Contains;
using testing::Each;
using testing::IsNan;

using Threads = Emulation;
using ThreadsDeathTest = Emulation;

constexpr int kCount = 64;

template <bool barrier>
__global__ void reverse(const float* x, float* y) {
  OREPA_SHARED(float, values, kCount);
  values[threadIdx.x] = x[threadIdx.x];
  if (barrier) __syncthreads();
  y[threadIdx.x] = values[kCount - 1 - threadIdx.x];
}

TEST_F(Threads, SeeEachOthersValuesBehindABarrier) {
  const float* x = device(ascending(kCount));
  float* y = device(kCount);
  EXPECT_EQ(launch(stream_, 1, kCount, reverse<true>, x, y), cudaSuccess);
  std::vector<float> expected = ascending(kCount);
  std::reverse(expected.begin(), expected.end());
  EXPECT_EQ(read(y, kCount), expected);
  EXPECT_EQ(launch(stream_, 1, kCount, reverse<false>, x, y), cudaSuccess);
  EXPECT_THAT(read(y, kCount), Contains(IsNan()));  // the barrier is missing
}

// The sum of 64 numbers as before Volta, where the lanes of a warp went side by side.
template <bool together>
__global__ void warp_synchronous_sum(const float* x, float* y) {
  OREPA_SHARED(float, values, 32);
  const unsigned i = threadIdx.x;
  values[i] = x[i] + x[i + 32];
  for (unsigned half = 16; half > 0; half /= 2) {
    if (together) __syncwarp();
    const float other = values[i ^ half];
    if (together) __syncwarp();
    values[i] += other;
  }
  if (i == 0) y[0] = values[0];
}

TEST_F(Threads, SeeEachOthersValuesBehindAMeeting) {
  const float* x = device(ascending(kCount));
  float* y = device(2);
  EXPECT_EQ(launch(stream_, 1, 32, warp_synchronous_sum<true>, x, y), cudaSuccess);
  EXPECT_EQ(launch(stream_, 1, 32, warp_synchronous_sum<false>, x, y + 1), cudaSuccess);
  const std::vector<float> sums = read(y, 2);
  EXPECT_EQ(sums[0], kCount * (kCount - 1) / 2);
  EXPECT_TRUE(std::isnan(sums[1]));
}

// Every block has its own, of another type a template's instance.
template <class T>
__global__ void count_in_shared(T* y) {
  OREPA_SHARED(T, first, 3);
  OREPA_SHARED(T, second, 1);
  if (threadIdx.x < 3) first[threadIdx.x] = static_cast<T>(blockIdx.x);
  if (threadIdx.x == 3) second[0] = static_cast<T>(100);
  __syncthreads();
  if (threadIdx.x < 3) y[blockIdx.x * 3 + threadIdx.x] = first[threadIdx.x] + second[0];
}

TEST_F(Threads, HaveTheSharedMemoryOfTheirBlock) {
  float* y = device(6);
  double* z = device<double>(6);
  EXPECT_EQ(launch(stream_, 2, 32, count_in_shared<float>, y), cudaSuccess);
  EXPECT_EQ(launch(stream_, 2, 32, count_in_shared<double>, z), cudaSuccess);
  EXPECT_EQ(read(y, 6), (std::vector<float>{100, 100, 100, 101, 101, 101}));
  EXPECT_EQ(read(z, 6), (std::vector<double>{100, 100, 100, 101, 101, 101}));
}

__global__ void read_shared(float* y) {
  OREPA_SHARED(float, values, kCount);
  y[threadIdx.x] = values[threadIdx.x];
}

TEST_F(Threads, FindPoisonInSharedMemoryThatNobodyWrote) {
  float* y = device(kCount);
  EXPECT_EQ(launch(stream_, 1, kCount, reverse<true>, device(ascending(kCount)), y), cudaSuccess);
  EXPECT_EQ(launch(stream_, 1, kCount, read_shared, y), cudaSuccess);
  EXPECT_THAT(read(y, kCount), Each(IsNan()));
}

__global__ void write_beyond_shared(float* y) {
  OREPA_SHARED(float, values, 32);
  values[threadIdx.x + 1] = 1;
  y[threadIdx.x] = values[threadIdx.x];
}

__global__ void much_shared(float* y) {
  OREPA_SHARED(float, values, 12 * 1024);
  OREPA_SHARED(float, more, 1);
  values[0] = more[0] = y[0];
}

TEST_F(ThreadsDeathTest, HaveNoMoreSharedMemoryThanTheyAskFor) {
  float* y = device(32);
  const auto run = [&](void (*kernel)(float*)) {
    EXPECT_EQ(launch(stream_, 1, 32, kernel, y), cudaSuccess);
    cudaStreamSynchronize(stream_);
  };
  EXPECT_DEATH(run(write_beyond_shared), "wrote beyond the end of shared values, 128 bytes");
  EXPECT_DEATH(run(much_shared), "with more, the block has 49156 bytes of shared memory");
}

// Every shuffle, in groups of 16 lanes, of 8 bytes.
__global__ void shuffles(double* y) {
  const double mine = threadIdx.x;
  double* out = y + threadIdx.x;
  out[0] = __shfl_sync(0xffffffffu, mine, 3, 16);
  out[32] = __shfl_up_sync(0xffffffffu, mine, 2, 16);
  out[64] = __shfl_down_sync(0xffffffffu, mine, 2, 16);
  out[96] = __shfl_xor_sync(0xffffffffu, mine, 5, 16);
}

TEST_F(Threads, ShuffleValues) {
  double* y = device<double>(128);
  EXPECT_EQ(launch(stream_, 1, 32, shuffles, y), cudaSuccess);
  const std::vector<double> values = read(y, 128);
  for (int lane = 0; lane < 32; ++lane) {
    const int first = lane / 16 * 16, in_group = lane % 16;
    EXPECT_EQ(values[lane], first + 3) << lane;
    EXPECT_EQ(values[32 + lane], in_group >= 2 ? lane - 2 : lane) << lane;
    EXPECT_EQ(values[64 + lane], in_group < 14 ? lane + 2 : lane) << lane;
    EXPECT_EQ(values[96 + lane], first + (in_group ^ 5)) << lane;
  }
}

// Lanes that don't take part give poison; those that do needn't be whole warps.
__global__ void shuffle_of_some(float* y) {
  if (threadIdx.x < 16) y[threadIdx.x] = __shfl_xor_sync(0xffffu, float(threadIdx.x), 1);
  if (threadIdx.x < 8) y[16 + threadIdx.x] = __shfl_xor_sync(0xffu, 1.0f, 8);
}

TEST_F(Threads, ShuffleAmongSomeLanes) {
  float* y = device(24);
  EXPECT_EQ(launch(stream_, 1, 40, shuffle_of_some, y), cudaSuccess);
  const std::vector<float> values = read(y, 24);
  for (int lane = 0; lane < 16; ++lane) EXPECT_EQ(values[lane], lane ^ 1);
  EXPECT_THAT(std::vector<float>(values.begin() + 16, values.end()), Each(IsNan()));
}

__global__ void index(uint4* y, dim3 extent) {
  const unsigned thread = (threadIdx.z * blockDim.y + threadIdx.y) * blockDim.x + threadIdx.x;
  const unsigned block = (blockIdx.z * gridDim.y + blockIdx.y) * gridDim.x + blockIdx.x;
  y[block * (extent.x * extent.y * extent.z) + thread] =
      make_uint4(thread, block, blockDim.z, gridDim.z);
}

TEST_F(Threads, KnowTheirIndices) {
  const dim3 blocks(3, 2, 2), threads(4, 3, 2);
  uint4* y = device<uint4>(12 * 24);
  EXPECT_EQ(launch(stream_, blocks, threads, index, y, threads), cudaSuccess);
  const std::vector<uint4> indices = read(y, 12 * 24);
  for (unsigned i = 0; i < indices.size(); ++i) {
    EXPECT_EQ(indices[i].x, i % 24);
    EXPECT_EQ(indices[i].y, i / 24);
    EXPECT_EQ(indices[i].z, 2u);
    EXPECT_EQ(indices[i].w, 2u);
  }
}

__global__ void barriers_apart(float* y) {
  if (threadIdx.x < 32)
    __syncthreads();
  else
    __syncthreads();
  y[0] = 1;
}

__global__ void barrier_or_shuffle(float* y) {
  if (threadIdx.x < 16)
    __syncthreads();
  else
    y[0] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
}

// Some lanes leave before others arrive, some thereafter, in whatever order threads run.
__global__ void lanes_left(float* y) {
  if (threadIdx.x >= 20) return;
  y[threadIdx.x] = __shfl_down_sync(0xffffffffu, 1.0f, 1);
}

__global__ void first_lanes_left(float* y) {
  if (threadIdx.x < 20) return;
  y[threadIdx.x] = __shfl_down_sync(0xffffffffu, 1.0f, 1);
}

__global__ void lanes_missing(float* y) { y[0] = __shfl_xor_sync(0xffffffffu, 1.0f, 1); }

__global__ void lane_not_in_mask(float* y) { y[0] = __shfl_xor_sync(0xffffu, 1.0f, 1); }

__global__ void shuffles_apart(float* y) {
  if (threadIdx.x < 16)
    y[0] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
  else
    y[0] = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
}

TEST_F(ThreadsDeathTest, MeetAtOnePlace) {
  float* y = device(64);
  const auto run = [&](unsigned threads, void (*kernel)(float*)) {
    EXPECT_EQ(launch(stream_, 1, threads, kernel, y), cudaSuccess);
    cudaStreamSynchronize(stream_);
  };
  EXPECT_DEATH(run(64, barriers_apart), "wait in different calls of __syncthreads.*at line");
  EXPECT_DEATH(run(32, barrier_or_shuffle), "a block cannot go on: 0 of 32 threads have left");
  EXPECT_DEATH(run(32, first_lanes_left),
               "waits at line [0-9]+ for the lanes [0-9a-f]{8}, which have left the kernel");
  EXPECT_DEATH(run(32, lanes_left),
               "waits at line [0-9]+ for the lanes [0-9a-f]{8}, which have left the kernel");
  EXPECT_DEATH(run(20, lanes_missing), "names lanes that do not exist; those that do are 000fffff");
  EXPECT_DEATH(run(32, lane_not_in_mask), "lane [0-9]+ is not in the mask 0000ffff");
  EXPECT_DEATH(run(32, shuffles_apart), "lanes 0 and 16 meet at different places");
}

}  // namespace
}  // namespace cudaemu
