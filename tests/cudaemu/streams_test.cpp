// Streams, events, and what the host may do before it has waited.
#include <gmock/gmock.h>

#include "tests/cudaemu/emulation.h"
#include "tests/cudaemu/fixture.h"

namespace cudaemu {
namespace {

using testing::Each;
using testing::IsNan;

class Streams : public Emulation {
 protected:
  Streams() { EXPECT_EQ(cudaEventCreateWithFlags(&event_, cudaEventDisableTiming), cudaSuccess); }
  ~Streams() override { EXPECT_EQ(cudaEventDestroy(event_), cudaSuccess); }

  cudaEvent_t event_;
};
using StreamsDeathTest = Streams;

TEST_F(Streams, AreOrderedByEventsAlone) {
  const float* x = device(ascending(64));
  float *y = device(64), *z = device(64);
  EXPECT_EQ(launch(stream_, 1, 64, add_one, x, y), cudaSuccess);
  EXPECT_EQ(launch(other_, 1, 64, add_one, y, z), cudaSuccess);
  EXPECT_THAT(read(z, 64, other_), Each(IsNan()));  // the event is missing

  EXPECT_EQ(cudaEventRecord(event_, stream_), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(other_, event_, 0), cudaSuccess);
  EXPECT_EQ(launch(other_, 1, 64, add_one, y, z), cudaSuccess);
  EXPECT_EQ(read(z, 64, other_), ascending(64, 2));
}

TEST_F(Streams, WaitForWhatWasRecordedThen) {
  const float* x = device(ascending(64));
  float *y = device(64), *z = device(64);
  EXPECT_EQ(cudaEventRecord(event_, stream_), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(other_, event_, 0), cudaSuccess);
  EXPECT_EQ(launch(stream_, 1, 64, add_one, x, y), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event_, stream_), cudaSuccess);
  EXPECT_EQ(launch(other_, 1, 64, add_one, y, z), cudaSuccess);
  EXPECT_THAT(read(z, 64, other_), Each(IsNan()));
}

TEST_F(Streams, AnEventIsDoneWhenItsStreamGotThere) {
  float* y = device(1);
  EXPECT_EQ(cudaEventQuery(event_), cudaSuccess);  // before the first record
  EXPECT_EQ(cudaMemsetAsync(y, 0, 4, stream_), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event_, stream_), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(event_), cudaErrorNotReady);
  EXPECT_EQ(cudaEventQuery(event_), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event_, stream_), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event_), cudaSuccess);
  EXPECT_EQ(cudaEventQuery(event_), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorNotReady);  // an error like others
}

TEST_F(Streams, DeliverToTheHostWhenItWaits) {
  const float* x = device(ascending(8));
  float* host = pinned(8);
  std::fill_n(host, 8, 0.0f);
  const auto copy = [&] {
    EXPECT_EQ(cudaMemcpyAsync(host, x, 32, cudaMemcpyDeviceToHost, stream_), cudaSuccess);
  };
  copy();
  EXPECT_THAT(std::vector<float>(host, host + 8), Each(IsNan()));  // read too early
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(std::vector<float>(host, host + 8), ascending(8));
  copy();
  EXPECT_EQ(cudaFreeHost(host), cudaSuccess);  // waits
}

TEST_F(Streams, ReadTheHostsMemoryWhenTheyGetThere) {
  float *host = pinned(8), *y = device(8);
  const std::vector<float> values = ascending(8);
  std::copy(values.begin(), values.end(), host);
  EXPECT_EQ(cudaMemcpyAsync(y, host, 32, cudaMemcpyHostToDevice, stream_), cudaSuccess);
  // Into the same memory, behind it: no change of the host's.
  EXPECT_EQ(cudaMemcpyAsync(host, y, 32, cudaMemcpyDeviceToHost, stream_), cudaSuccess);
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_EQ(std::vector<float>(host, host + 8), values);
  EXPECT_EQ(cudaFreeHost(host), cudaSuccess);

  std::vector<float> unpinned = values;
  EXPECT_EQ(cudaMemcpyAsync(y, unpinned.data(), 32, cudaMemcpyHostToDevice, stream_), cudaSuccess);
  unpinned.assign(8, 0);  // copied before the call returned
  EXPECT_EQ(read(y, 8), values);
}

TEST_F(StreamsDeathTest, TellWhenTheHostsMemoryIsUsedTooEarly) {
  float *host = pinned(8), *y = device(8);
  const auto reuse = [&](bool wait) {
    std::fill_n(host, 8, 1.0f);
    EXPECT_EQ(cudaMemcpyAsync(y, host, 32, cudaMemcpyHostToDevice, stream_), cudaSuccess);
    EXPECT_EQ(cudaEventRecord(event_, stream_), cudaSuccess);
    if (wait) cudaEventSynchronize(event_);
    host[7] = 2;
    cudaStreamSynchronize(stream_);
  };
  reuse(true);
  EXPECT_DEATH(reuse(false), "host memory was changed before the copy out of it ran");
  EXPECT_EQ(cudaFreeHost(host), cudaSuccess);
}

TEST_F(StreamsDeathTest, TellOfLaunchesThatNobodyChecked) {
  float* y = device(1);
  cudaLaunchConfig_t config{};
  config.gridDim = dim3(0);
  config.blockDim = dim3(32);
  config.stream = stream_;
  const auto fail = [&] { cudaLaunchKernelEx(&config, add_one, y, y); };
  const char* message =
      "a launch failed with cudaErrorInvalidConfiguration, and nobody looked at what it returned: "
      ".*float";
  EXPECT_DEATH((fail(), cudaStreamSynchronize(stream_)), message);
  EXPECT_DEATH((fail(), cudaEventQuery(event_)), message);
  EXPECT_DEATH((fail(), std::exit(0)), message);  // at the end of the program
  config.gridDim = dim3(1);
  config.blockDim = dim3(32, 33);
  EXPECT_DEATH((fail(), cudaDeviceSynchronize()), message);

  fail();
  EXPECT_EQ(cudaGetLastError(), cudaErrorInvalidConfiguration);
  const cudaError_t error = cudaLaunchKernelEx(&config, add_one, y, y);
  EXPECT_EQ(error, cudaErrorInvalidConfiguration);
  EXPECT_STREQ(cudaGetErrorName(error), "cudaErrorInvalidConfiguration");
  EXPECT_STREQ(cudaGetErrorString(error), "invalid configuration argument");
  EXPECT_EQ(cudaDeviceSynchronize(), cudaSuccess);
  EXPECT_EQ(cudaPeekAtLastError(), error);
  EXPECT_EQ(cudaGetLastError(), error);
}

TEST_F(StreamsDeathTest, AreNotTheNullStream) {
  EXPECT_DEATH(cudaMemsetAsync(device(1), 0, 4, nullptr), "the null stream is used");
  cudaStream_t gone;
  EXPECT_EQ(cudaStreamCreateWithFlags(&gone, cudaStreamNonBlocking), cudaSuccess);
  EXPECT_EQ(cudaStreamDestroy(gone), cudaSuccess);
  EXPECT_DEATH(cudaStreamSynchronize(gone), "a stream is used that was destroyed");
}

// What emulated libraries are made of.
TEST_F(StreamsDeathTest, RunFunctionsOfTheHost) {
  float *x = device(ascending(8)), *y = device(8);
  const auto copy = [=] { std::copy(x, x + 8, y); };
  enqueue(stream_, "a copy by hand", {{x, 32}, {y, 32}}, copy);
  EXPECT_EQ(read(y, 8), ascending(8));
  EXPECT_DEATH(enqueue(stream_, "a copy by hand", {{x, 32}, {y, 33}}, copy),
               "a copy by hand: 33 bytes at .* are not inside one allocation");
}

}  // namespace
}  // namespace cudaemu
