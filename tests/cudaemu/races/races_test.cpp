// That ThreadSanitizer tells of races between threads of kernels, at the line where they are, and
// of nothing else. (That the loops of parallel.h have none, it tells when parallel_test.cpp runs in
// this program.)
#include "orepa/parallel.h"
#include "tests/cudaemu/fixture.h"

// The first race ends the program.
extern "C" const char* __tsan_default_options() { return "halt_on_error=1"; }

namespace cudaemu {
namespace {

constexpr int kCount = 64, kWarp = 32;

__device__ unsigned thread_of_grid() { return blockIdx.x * blockDim.x + threadIdx.x; }

template <bool barrier>
__global__ void reverse(float* y) {
  OREPA_SHARED(float, values, kCount);
  values[threadIdx.x] = static_cast<float>(threadIdx.x);
  if (barrier) __syncthreads();
  y[thread_of_grid()] = values[kCount - 1 - threadIdx.x];  // a race without the barrier
}
constexpr int kReverse = __LINE__ - 2;

// The second barrier of a loop: nobody may write what others still read of the round before.
template <bool barrier>
__global__ void rounds(float* y) {
  OREPA_SHARED(float, values, kCount);
  float sum = 0;
  for (int round = 0; round < 3; ++round) {
    values[threadIdx.x] = static_cast<float>(round);  // a race without the barrier
    __syncthreads();
    sum += values[(threadIdx.x + kWarp) % kCount];
    if (barrier) __syncthreads();
  }
  y[thread_of_grid()] = sum;
}
constexpr int kRounds = __LINE__ - 7;

// As before Volta, where the lanes of a warp went side by side.
template <bool together>
__global__ void neighbours(float* y) {
  OREPA_SHARED(float, values, kWarp);
  values[threadIdx.x] = 1;
  if (together) __syncwarp();
  y[thread_of_grid()] = values[threadIdx.x ^ 1];  // a race without the meeting
}
constexpr int kNeighbours = __LINE__ - 2;

// A shuffle is a meeting of one warp's lanes, not of two warps.
__global__ void two_warps(float* y) {
  OREPA_SHARED(float, values, kCount);
  values[threadIdx.x] = 1;
  const float one = __shfl_xor_sync(0xffffffffu, 1.0f, 1);
  y[thread_of_grid()] = values[(threadIdx.x + kWarp) % kCount] + one;  // a race
}
constexpr int kTwoWarps = __LINE__ - 2;

// In the device's memory: `blocks` of `threads` each write every address `step` apart.
__global__ void write(float* y, unsigned step) {
  y[thread_of_grid() / step] = 1;  // a race where step is not 1
}
constexpr int kWrite = __LINE__ - 2;

__global__ void read_own(const float* x, float* y) { y[thread_of_grid()] = x[thread_of_grid()]; }

class Races : public Emulation {
 protected:
  template <class... Parameters, class... Arguments>
  void run(unsigned blocks, unsigned threads, void (*kernel)(Parameters...),
           const Arguments&... arguments) {
    EXPECT_EQ(launch(stream_, blocks, threads, kernel, arguments...), cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  }
  static std::string race_at(int line) {
    return orepa::text("data race.*races_test.cpp:", line, "[^0-9]");
  }
  float* const y_ = device(1024);
};
using RacesDeathTest = Races;

TEST_F(Races, AreNotWhereThreadsWait) {
  run(4, kCount, reverse<true>, y_);
  run(4, kCount, rounds<true>, y_);
  run(4, kWarp, neighbours<true>, y_);
}

TEST_F(RacesDeathTest, AreWhereTheyDoNot) {
  EXPECT_DEATH(run(1, kCount, reverse<false>, y_), race_at(kReverse));
  EXPECT_DEATH(run(1, kCount, rounds<false>, y_), race_at(kRounds));
  EXPECT_DEATH(run(1, kWarp, neighbours<false>, y_), race_at(kNeighbours));
  EXPECT_DEATH(run(1, kCount, two_warps, y_), race_at(kTwoWarps));
}

// Threads of one block, and of two.
TEST_F(RacesDeathTest, AreWhereTwoThreadsWriteOneAddress) {
  EXPECT_DEATH(run(1, 2, write, y_, 2u), race_at(kWrite));
  EXPECT_DEATH(run(2, 1, write, y_, 2u), race_at(kWrite));
  EXPECT_DEATH(run(3, 256, write, y_, 512u), race_at(kWrite));
}

// Launches of one stream are in order, whichever threads do what.
TEST_F(Races, AreNotBetweenLaunches) {
  run(4, 256, write, y_, 1u);
  run(32, 32, read_own, y_, device(1024));
  run(1, 1, write, y_, 1u);
}

}  // namespace
}  // namespace cudaemu
