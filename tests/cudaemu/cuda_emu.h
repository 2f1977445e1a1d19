// What CUDA source sees of the emulation: included (-include) before all else where a file with
// kernels is compiled by g++ as plain C++20, against the headers of the real toolkit. Kernels are
// launched by cudaLaunchKernelEx alone and have shared memory by shared_static() alone
// (OREPA_SHARED of parallel_kernels.h). Whoever needs another intrinsic adds it here, with a test.
#pragma once
#define CUDAEMU 1
#include <cuda_runtime.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <source_location>
#include <tuple>
#include <type_traits>

// A variable would be one for all blocks and neither poisoned nor guarded.
#undef __shared__
#define __shared__ CUDAEMU_HAS_SHARED_MEMORY_BY_OREPA_SHARED_ALONE

// Variables as on the device, and not macros: cudaLaunchConfig_t has members of these names.
extern constinit thread_local uint3 threadIdx, blockIdx;
extern constinit thread_local dim3 blockDim, gridDim;

namespace cudaemu {

using Place = std::source_location;

// The block's variable of that key, poisoned at the start of every block.
void* shared_static(const void* key, size_t bytes, size_t align, const char* name);

void block_barrier(const Place& place);

// What lanes of a warp do together, and from which lane a shuffle takes its value.
enum class Collective : uint8_t { kSync, kShuffle, kShuffleUp, kShuffleDown, kShuffleXor };
// Waits for the lanes of the mask; returns the value of the source lane.
uint64_t meet_lanes(Collective collective, unsigned mask, uint64_t value, int argument, int width,
                    const Place& place);

template <class T>
T shuffle(Collective collective, unsigned mask, T value, int argument, int width,
          const Place& place) {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(uint64_t));
  uint64_t bits = 0;
  std::memcpy(&bits, &value, sizeof(T));
  bits = meet_lanes(collective, mask, bits, argument, width, place);
  std::memcpy(&value, &bits, sizeof(T));
  return value;
}

// A kernel with its arguments.
struct Kernel {
  const char* name;  // the types of its parameters
  std::shared_ptr<const void> call;
  void (*thread)(const void* call);  // runs one thread
};

// What a launch returns: an error that nobody has looked at when this goes is reported by the next
// wait for the device, or at the end of the program, unless cudaGetLastError() tells it before.
class LaunchStatus {
 public:
  LaunchStatus(cudaError_t error, const char* kernel) : error_(error), kernel_(kernel) {}
  LaunchStatus(const LaunchStatus&) = delete;
  LaunchStatus& operator=(const LaunchStatus&) = delete;
  ~LaunchStatus();
  operator cudaError_t() const {
    read_ = true;
    return error_;
  }

 private:
  cudaError_t error_;
  const char* kernel_;
  mutable bool read_ = false;
};

cudaError_t issue_launch(const cudaLaunchConfig_t& config, Kernel kernel);
// A kernel's argument may hold no address of the host's own memory, in a word of its own, set or
// not. (Pinned memory is the device's, too.)
void check_argument(const char* kernel, const void* argument, size_t bytes);

template <class... Parameters>
const char* kernel_taking() {
  return std::strstr(__PRETTY_FUNCTION__, "kernel_taking");
}

template <class... Parameters, class... Arguments>
LaunchStatus launch(const cudaLaunchConfig_t* config, void (*kernel)(Parameters...),
                    Arguments&&... arguments) {
  static_assert((std::is_trivially_copyable_v<Parameters> && ...));
  static_assert((sizeof(Parameters) + ... + size_t{0}) <= 4096);
  struct Call {
    void (*kernel)(Parameters...);
    std::tuple<std::remove_cv_t<Parameters>...> values;
  };
  const auto call =
      std::make_shared<const Call>(Call{kernel, {static_cast<Parameters>(arguments)...}});
  const char* name = kernel_taking<Parameters...>();
  const auto check = [&](auto value) {
    // In padding, there may be anything. GCC 12 does not find it all behind arrays of structs,
    // which only large functors have.
    if (sizeof(value) > 256) return;
    __builtin_clear_padding(&value);
    check_argument(name, &value, sizeof(value));
  };
  std::apply([&](const auto&... values) { (check(values), ...); }, call->values);
  const auto thread = [](const void* call) {
    std::apply(static_cast<const Call*>(call)->kernel, static_cast<const Call*>(call)->values);
  };
  return {issue_launch(*config, {name, call, thread}), name};
}

}  // namespace cudaemu

#define cudaLaunchKernelEx ::cudaemu::launch

inline void __syncthreads(const cudaemu::Place& place = cudaemu::Place::current()) {
  cudaemu::block_barrier(place);
}
inline void __syncwarp(unsigned mask = 0xffffffffu,
                       const cudaemu::Place& place = cudaemu::Place::current()) {
  cudaemu::meet_lanes(cudaemu::Collective::kSync, mask, 0, 0, 32, place);
}
template <class T>
T __shfl_sync(unsigned mask, T value, int lane, int width = 32,
              const cudaemu::Place& place = cudaemu::Place::current()) {
  return cudaemu::shuffle(cudaemu::Collective::kShuffle, mask, value, lane, width, place);
}
template <class T>
T __shfl_up_sync(unsigned mask, T value, unsigned distance, int width = 32,
                 const cudaemu::Place& place = cudaemu::Place::current()) {
  return cudaemu::shuffle(cudaemu::Collective::kShuffleUp, mask, value, static_cast<int>(distance),
                          width, place);
}
template <class T>
T __shfl_down_sync(unsigned mask, T value, unsigned distance, int width = 32,
                   const cudaemu::Place& place = cudaemu::Place::current()) {
  return cudaemu::shuffle(cudaemu::Collective::kShuffleDown, mask, value,
                          static_cast<int>(distance), width, place);
}
template <class T>
T __shfl_xor_sync(unsigned mask, T value, int lanes, int width = 32,
                  const cudaemu::Place& place = cudaemu::Place::current()) {
  return cudaemu::shuffle(cudaemu::Collective::kShuffleXor, mask, value, lanes, width, place);
}
