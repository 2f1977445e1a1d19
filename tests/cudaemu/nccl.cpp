// The part of NCCL that the CUDA backend uses: sums over processes of one machine, by memory that
// they share, computed when the stream gets there. The order of a sum is that of the ranks.
#include <fcntl.h>
#include <nccl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstring>
#include <memory>
#include <random>

#include "orepa/numbers.h"
#include "tests/cudaemu/emulation.h"
#include "tests/cudaemu/violation.h"

namespace cudaemu {
namespace {

constexpr int kMostRanks = 8;
constexpr size_t kChunk = size_t{1} << 20;  // bytes that are exchanged at once
constexpr useconds_t kPause = 20;           // microseconds

// All zeros at first, as memory of the system is.
struct Shared {
  std::atomic<int> joined, arrived, phase;
  std::atomic<uint64_t> operations[kMostRanks];
  alignas(64) char data[kMostRanks][kChunk];
};

// What one rank has of it.
class Ring {
 public:
  Ring(std::string name, Shared& shared, int ranks, int rank)
      : name_(std::move(name)), shared_(shared), ranks_(ranks), rank_(rank) {
    ++shared_.joined;
  }
  ~Ring() { munmap(&shared_, sizeof shared_); }
  Ring(const Ring&) = delete;
  Ring& operator=(const Ring&) = delete;

  bool complete() const {
    const bool all = shared_.joined == ranks_;
    if (all) shm_unlink(name_.c_str());  // nobody else will look for it
    return all;
  }
  void abort() {
    aborted_ = true;
    shm_unlink(name_.c_str());
  }

  // In place. What it leaves where it is aborted is worth nothing.
  void sum(char* data, size_t count, ncclDataType_t type) {
    require_alike(count << 8 | static_cast<size_t>(type));
    const size_t bytes = count * size_of(type);
    for (size_t first = 0; first < bytes && !aborted_; first += kChunk) {
      const size_t size = std::min(kChunk, bytes - first);
      std::memcpy(shared_.data[rank_], data + first, size);
      wait_for_all();
      if (type == ncclFloat32)
        add<float, float>(data + first, size);
      else if (type == ncclFloat64)
        add<double, double>(data + first, size);
      else
        add<orepa::BFloat16, float>(data + first, size);
      wait_for_all();
    }
  }

  static size_t size_of(ncclDataType_t type) {
    if (type != ncclFloat32 && type != ncclFloat64 && type != ncclBfloat16)
      violation("sums of NCCL's type ", int{type}, " are not emulated");
    return type == ncclFloat64 ? 8 : type == ncclFloat32 ? 4 : 2;
  }

  bool connected = false;  // whether a sum was issued before, which takes longer the first time

 private:
  void wait_for_all() {
    if (aborted_) return;
    const int phase = shared_.phase;
    if (++shared_.arrived == ranks_) {
      shared_.arrived = 0;
      ++shared_.phase;
    }
    while (shared_.phase == phase && !aborted_) usleep(kPause);
  }

  void require_alike(uint64_t operation) {
    shared_.operations[rank_] = operation;
    wait_for_all();
    for (int rank = 0; rank < ranks_ && !aborted_; ++rank)
      if (shared_.operations[rank] != operation)
        violation("ncclAllReduce: rank ", rank_, " adds up ", operation >> 8,
                  " numbers of NCCL's type ", operation & 0xff, ", rank ", rank, " adds up ",
                  shared_.operations[rank] >> 8, " of ", shared_.operations[rank] & 0xff);
    wait_for_all();
  }

  static float wide(orepa::BFloat16 x) { return x.value(); }
  template <class Number>
  static Number wide(Number x) {
    return x;
  }
  static void set(orepa::BFloat16& to, float sum) { to = orepa::BFloat16::of(sum); }
  template <class Number>
  static void set(Number& to, Number sum) {
    to = sum;
  }
  template <class Number, class Sum>
  void add(char* data, size_t bytes) {
    for (size_t i = 0; i < bytes / sizeof(Number); ++i) {
      Sum sum = 0;
      for (int rank = 0; rank < ranks_; ++rank)
        sum += wide(reinterpret_cast<const Number*>(shared_.data[rank])[i]);
      set(reinterpret_cast<Number*>(data)[i], sum);
    }
  }

  const std::string name_;
  Shared& shared_;
  const int ranks_, rank_;
  std::atomic<bool> aborted_ = false;
};

}  // namespace
}  // namespace cudaemu

using namespace cudaemu;

struct ncclComm {
  std::shared_ptr<Ring> ring;  // work in streams has it too
};

extern "C" {

ncclResult_t ncclGetUniqueId(ncclUniqueId* id) {
  *id = {};
  std::snprintf(id->internal, sizeof id->internal, "/cudaemu.%d.%08x", getpid(),
                std::random_device{}());
  return ncclSuccess;
}

// Does not wait for the others.
ncclResult_t ncclCommInitRankConfig(ncclComm_t* comm, int ranks, ncclUniqueId id, int rank,
                                    ncclConfig_t* config) {
  if (ranks > kMostRanks) violation("NCCL is emulated for ", kMostRanks, " ranks at most");
  if (rank < 0 || rank >= ranks) return ncclInvalidArgument;
  if (config->blocking != 0) violation("ncclCommInitRankConfig: blocking calls are not emulated");
  const int file = shm_open(id.internal, O_CREAT | O_RDWR, 0600);
  if (file < 0) return ncclSystemError;
  const bool large = ftruncate(file, sizeof(Shared)) == 0;
  void* memory = large ? mmap(nullptr, sizeof(Shared), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0)
                       : MAP_FAILED;
  close(file);
  if (memory == MAP_FAILED) return ncclSystemError;
  *comm =
      new ncclComm{std::make_shared<Ring>(id.internal, *static_cast<Shared*>(memory), ranks, rank)};
  return ncclInProgress;
}

ncclResult_t ncclCommGetAsyncError(ncclComm_t comm, ncclResult_t* state) {
  *state = comm->ring->complete() ? ncclSuccess : ncclInProgress;
  return ncclSuccess;
}

ncclResult_t ncclAllReduce(const void* from, void* to, size_t count, ncclDataType_t type,
                           ncclRedOp_t operation, ncclComm_t comm, cudaStream_t stream) {
  if (!comm->ring->complete()) violation("ncclAllReduce: the ranks are not connected yet");
  if (from != to || operation != ncclSum)
    violation("ncclAllReduce: only sums in place are emulated");
  enqueue(stream, "ncclAllReduce", {{to, count * Ring::size_of(type)}},
          [ring = comm->ring, data = static_cast<char*>(to), count, type] {
            ring->sum(data, count, type);
          });
  return std::exchange(comm->ring->connected, true) ? ncclSuccess : ncclInProgress;
}

ncclResult_t ncclCommAbort(ncclComm_t comm) {
  comm->ring->abort();
  delete comm;
  return ncclSuccess;
}

ncclResult_t ncclGetVersion(int* version) {
  *version = NCCL_VERSION_CODE;
  return ncclSuccess;
}

const char* ncclGetErrorString(ncclResult_t result) {
  return result == ncclSystemError       ? "unhandled system error"
         : result == ncclInvalidArgument ? "invalid argument"
                                         : "no error";
}

const char* ncclGetLastError(ncclComm_t) { return ""; }

}  // extern "C"
