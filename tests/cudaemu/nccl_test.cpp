// The emulated NCCL, by processes of their own: each has its devices.
#include <nccl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "orepa/numbers.h"
#include "tests/cudaemu/fixture.h"

namespace cudaemu {
namespace {

class Nccl : public Emulation {
 protected:
  // Calls run(rank) in `ranks` processes, this one and others; returns how many of those failed.
  template <class Run>
  static int among(int ranks, Run run) {
    std::vector<pid_t> others;
    for (int rank = 1; rank < ranks; ++rank) {
      others.push_back(fork());
      if (others.back() == 0) {
        run(rank);
        _exit(HasFailure() ? 1 : 0);
      }
    }
    run(0);
    int failures = 0;
    for (const pid_t other : others) {
      int status = 0;
      waitpid(other, &status, 0);
      failures += status != 0;
    }
    return failures;
  }

  static ncclComm_t join(const ncclUniqueId& id, int ranks, int rank) {
    ncclComm_t comm = nullptr;
    ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
    config.blocking = 0;
    EXPECT_EQ(ncclCommInitRankConfig(&comm, ranks, id, rank, &config), ncclInProgress);
    for (ncclResult_t state = ncclInProgress; state == ncclInProgress; usleep(100))
      EXPECT_EQ(ncclCommGetAsyncError(comm, &state), ncclSuccess);
    return comm;
  }

  static ncclUniqueId id() {
    ncclUniqueId id;
    EXPECT_EQ(ncclGetUniqueId(&id), ncclSuccess);
    return id;
  }
};
using NcclDeathTest = Nccl;

TEST_F(Nccl, AddsUpWhenTheStreamGetsThere) {
  const size_t count = 700001;  // of several exchanges
  const ncclUniqueId id = Nccl::id();
  const int failures = among(3, [&](int rank) {
    ncclComm_t comm = join(id, 3, rank);
    float* floats = device(count);
    const auto number = static_cast<float>(rank);
    const std::vector<double> host_doubles{0x1p-40 * rank, 1};
    const std::vector<orepa::BFloat16> host_narrow(5, orepa::BFloat16::of(number + 0.5f));
    double* doubles = device(host_doubles);
    orepa::BFloat16* narrow = device(host_narrow);
    ncclAllReduce(doubles, doubles, 2, ncclFloat64, ncclSum, comm, stream_);
    EXPECT_EQ(ncclAllReduce(floats, floats, count, ncclFloat32, ncclSum, comm, stream_),
              ncclSuccess);
    EXPECT_EQ(ncclAllReduce(narrow, narrow, 5, ncclBfloat16, ncclSum, comm, stream_), ncclSuccess);
    const std::vector<float> host_floats = ascending(count, number);
    EXPECT_EQ(
        cudaMemcpyAsync(floats, host_floats.data(), count * 4, cudaMemcpyHostToDevice, other_),
        cudaSuccess);
    EXPECT_EQ(cudaStreamSynchronize(other_), cudaSuccess);
    const std::vector<float> sums = read(floats, count);
    for (size_t i = 0; i < count; ++i)
      ASSERT_EQ(sums[i],
                static_cast<float>(i) + static_cast<float>(i + 1) + static_cast<float>(i + 2));
    EXPECT_EQ(read(doubles, 2), (std::vector<double>{0x3p-40, 3}));
    for (const orepa::BFloat16 sum : read(narrow, 5)) EXPECT_EQ(sum.value(), 4.5f);
    EXPECT_EQ(ncclCommAbort(comm), ncclSuccess);
  });
  EXPECT_EQ(failures, 0);
}

TEST_F(Nccl, ASumThatIsAbortedEnds) {
  const ncclUniqueId id = Nccl::id();
  const int failures = among(2, [&](int rank) {
    ncclComm_t comm = join(id, 2, rank);
    if (rank == 0) {  // the other one never comes
      float* x = device(ascending(4));
      ncclAllReduce(x, x, 4, ncclFloat32, ncclSum, comm, stream_);
    }
    EXPECT_EQ(ncclCommAbort(comm), ncclSuccess);
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  });
  EXPECT_EQ(failures, 0);
}

TEST_F(NcclDeathTest, RanksAddUpTheSame) {
  const auto mismatch = [&] {
    const ncclUniqueId id = Nccl::id();
    among(2, [&](int rank) {
      ncclComm_t comm = join(id, 2, rank);
      const size_t count = rank == 0 ? 4 : 8;
      float* x = device(ascending(8));
      ncclAllReduce(x, x, count, ncclFloat32, ncclSum, comm, stream_);
      cudaStreamSynchronize(stream_);
    });
  };
  EXPECT_DEATH(mismatch(), "rank 0 adds up 4 numbers of NCCL's type 7, rank 1 adds up 8 of 7");
}

TEST_F(NcclDeathTest, ChecksItsArguments) {
  const ncclUniqueId id = Nccl::id();
  ncclComm_t comm = join(id, 1, 0);
  float *x = device(4), host[4];
  const auto sum = [&](float* from, float* to, ncclDataType_t type) {
    return ncclAllReduce(from, to, 4, type, ncclSum, comm, stream_);
  };
  EXPECT_DEATH(sum(host, host, ncclFloat32), "ncclAllReduce: 16 bytes at .* are not inside one");
  EXPECT_DEATH(sum(x, x, ncclFloat64), "ncclAllReduce: 32 bytes at .* are not inside one");
  EXPECT_DEATH(sum(x, x + 1, ncclFloat32), "only sums in place");
  EXPECT_DEATH(sum(x, x, ncclInt8), "type 0 are not emulated");
  EXPECT_EQ(ncclCommAbort(comm), ncclSuccess);

  ncclConfig_t config = NCCL_CONFIG_INITIALIZER;
  EXPECT_DEATH(ncclCommInitRankConfig(&comm, 1, id, 0, &config), "blocking calls");
  config.blocking = 0;
  EXPECT_EQ(ncclCommInitRankConfig(&comm, 1, id, 1, &config), ncclInvalidArgument);
  EXPECT_EQ(ncclCommInitRankConfig(&comm, 2, id, 0, &config), ncclInProgress);
  EXPECT_DEATH(sum(x, x, ncclFloat32), "not connected yet");
  EXPECT_EQ(ncclCommAbort(comm), ncclSuccess);
}

}  // namespace
}  // namespace cudaemu
