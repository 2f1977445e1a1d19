// Device memory: what may be touched by whom.
#include <gmock/gmock.h>

#include <cmath>

#include "tests/cudaemu/fixture.h"
#include "tests/cudaemu/violation.h"

namespace cudaemu {
namespace {

using testing::Each;
using testing::IsNan;

using Memory = Emulation;
using MemoryDeathTest = Emulation;

__global__ void write_at(float* y, long i) { y[i] = 1; }
__global__ void read_at(const float* x, long i, float* y) { y[0] = x[i]; }

struct HoldsPointer {
  const float* x;
  int count;
};
__global__ void read_struct(HoldsPointer from, float* y) { y[0] = from.x[0]; }

struct HasPadding {
  double numbers[12];  // so many that all of it is copied
  bool set;
};
__global__ void read_padded(HasPadding from, double* y) { y[0] = from.numbers[0]; }

TEST_F(Memory, KeepsWhatIsWritten) {
  const float* x = device(ascending(100));
  float* y = device(100);
  EXPECT_EQ(launch(stream_, 1, 100, add_one, x, y), cudaSuccess);
  EXPECT_EQ(read(y, 100), ascending(100, 1));
}

TEST_F(Memory, IsAlignedAndCounted) {
  size_t before, after, total;
  EXPECT_EQ(cudaMemGetInfo(&before, &total), cudaSuccess);
  EXPECT_EQ(reinterpret_cast<size_t>(device(1)) % 256, 0);
  EXPECT_EQ(reinterpret_cast<size_t>(device(1025)) % 256, 0);
  EXPECT_EQ(cudaMemGetInfo(&after, &total), cudaSuccess);
  EXPECT_EQ(before - after, 1026 * sizeof(float));
  void* memory = &total;
  EXPECT_EQ(cudaMalloc(&memory, total + 1), cudaErrorMemoryAllocation);
  EXPECT_EQ(memory, nullptr);
  EXPECT_EQ(cudaGetLastError(), cudaErrorMemoryAllocation);
  EXPECT_EQ(cudaGetLastError(), cudaSuccess);
}

TEST_F(Memory, IsPoisonWhereNothingWasWritten) {
  const float* x = device(64);
  float* y = device(64);
  EXPECT_THAT(read(x, 64), Each(IsNan()));
  EXPECT_EQ(launch(stream_, 1, 64, add_one, x, y), cudaSuccess);
  EXPECT_THAT(read(y, 64), Each(IsNan()));
}

TEST_F(Memory, IsPoisonWhenItIsUsedAgain) {
  void* memory;
  EXPECT_EQ(cudaMalloc(&memory, 4096), cudaSuccess);
  EXPECT_EQ(cudaMemsetAsync(memory, 0, 4096, stream_), cudaSuccess);
  EXPECT_EQ(read(static_cast<float*>(memory), 1024), std::vector<float>(1024, 0));
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_THAT(read(device(1024), 1024), Each(IsNan()));
}

TEST_F(MemoryDeathTest, IsNotTheHosts) {
  float* x = device(ascending(64));
  EXPECT_DEATH(x[3] = 1,
               "the host uses an address of the device, byte 12 .* allocation of 256 bytes");
}

// In the same page, and where the next one begins.
TEST_F(MemoryDeathTest, EndsWhereItEnds) {
  for (const size_t count : {10, 64, 1024}) {
    float* y = device(count);
    device(1024);  // there is something behind it
    EXPECT_DEATH(
        {
          EXPECT_EQ(launch(stream_, 1, 1, write_at, y, static_cast<long>(count)), cudaSuccess);
          cudaStreamSynchronize(stream_);
        },
        "an address that it does not have, byte .*float.*|"
        "wrote beyond the end of an allocation of")
        << count;
  }
}

// Up to its alignment there is poison behind it.
TEST_F(MemoryDeathTest, IsNotReadBehindItsEnd) {
  for (const size_t count : {10, 64, 1024}) {
    const float* x = device(std::vector<float>(count));
    float* y = device(std::vector<float>{0});
    EXPECT_DEATH(
        {
          EXPECT_EQ(launch(stream_, 1, 1, read_at, x, static_cast<long>(count), y), cudaSuccess);
          if (std::isnan(read(y, 1)[0])) violation("it read poison");
        },
        "an address that it does not have, byte .*float.*|it read poison")
        << count;
  }
}

TEST_F(MemoryDeathTest, BeginsWhereItBegins) {
  device(10);
  float* y = device(10);
  EXPECT_DEATH(
      {
        EXPECT_EQ(launch(stream_, 1, 1, write_at, y, -1L), cudaSuccess);
        cudaStreamSynchronize(stream_);
      },
      "wrote before the beginning of an allocation of 40 bytes|wrote beyond the end of an "
      "allocation of 40 bytes");
}

TEST_F(MemoryDeathTest, IsGoneWhenItIsFreed) {
  void* memory;
  EXPECT_EQ(cudaMalloc(&memory, 40), cudaSuccess);
  EXPECT_EQ(cudaFree(memory), cudaSuccess);
  EXPECT_EQ(cudaFree(memory), cudaErrorInvalidValue);
  EXPECT_DEATH(cudaMemsetAsync(memory, 0, 40, stream_), "not inside one allocation of the device");
}

TEST_F(MemoryDeathTest, IsCopiedInTheRightDirection) {
  std::vector<float> host(64);
  float* x = device(host);
  const auto copy = [&](void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    EXPECT_EQ(cudaMemcpyAsync(to, from, bytes, kind, stream_), cudaSuccess);
  };
  EXPECT_DEATH(copy(host.data(), x, 256, cudaMemcpyHostToDevice),
               "of kind 1 goes from the device to the host");
  EXPECT_DEATH(copy(x, host.data(), 256, cudaMemcpyDeviceToHost),
               "of kind 2 goes from the host to the device");
  EXPECT_DEATH(copy(x, host.data(), 256, cudaMemcpyDeviceToDevice), "of kind 3");
  EXPECT_DEATH(copy(x, host.data(), 257, cudaMemcpyHostToDevice),
               "the destination of a copy: 257 bytes .* are not inside one allocation");
  EXPECT_DEATH(copy(host.data(), x + 1, 256, cudaMemcpyDeviceToHost), "the source of a copy");
  copy(x, host.data(), 256, cudaMemcpyDefault);
  copy(host.data(), x, 256, cudaMemcpyDefault);
}

TEST_F(MemoryDeathTest, OfTheHostIsNoArgument) {
  std::vector<float> host(64);
  const float local = 1;
  float *y = device(1), *shared = pinned(1);
  *shared = 3;
  EXPECT_DEATH(launch(stream_, 1, 1, add_one, host.data(), y),
               "a kernel is given an address of the host's memory");
  EXPECT_DEATH(launch(stream_, 1, 1, read_struct, HoldsPointer{&local, 1}, y),
               "a kernel is given an address of the host's memory, .* at byte 0 .*HoldsPointer");
  EXPECT_EQ(launch(stream_, 1, 1, read_struct, HoldsPointer{shared, 1}, y), cudaSuccess);
  EXPECT_EQ(read(y, 1), std::vector<float>{3});
  EXPECT_EQ(cudaFreeHost(shared), cudaSuccess);
  // What was in memory where a struct has nothing is none either.
  std::vector<HasPadding> padded(1);
  const float* const address = host.data();
  std::memcpy(static_cast<void*>(&padded[0].set), &address, sizeof(address));
  padded[0].numbers[0] = 4;
  padded[0].set = false;
  double* z = device<double>(1);
  EXPECT_EQ(launch(stream_, 1, 1, read_padded, padded[0], z), cudaSuccess);
  EXPECT_EQ(read(z, 1), std::vector<double>{4});
}

}  // namespace
}  // namespace cudaemu
