// Capture into graphs, their launches, and what may not be called meanwhile.
#include <gmock/gmock.h>

#include <functional>

#include "tests/cudaemu/fixture.h"

namespace cudaemu {
namespace {

using testing::Each;
using testing::IsNan;

class Capture : public Emulation {
 protected:
  void begin() {
    EXPECT_EQ(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal), cudaSuccess);
  }
  cudaGraphExec_t end() {
    cudaGraph_t graph;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaSuccess);
    cudaGraphExec_t executable;
    EXPECT_EQ(cudaGraphInstantiate(&executable, graph, 0), cudaSuccess);
    EXPECT_EQ(cudaGraphDestroy(graph), cudaSuccess);
    return executable;
  }
};
using CaptureDeathTest = Capture;

TEST_F(Capture, RunsAtEveryLaunchAlone) {
  float *x = device(ascending(8)), *y = device(8);
  begin();
  EXPECT_EQ(launch(stream_, 1, 8, add_one, x, y), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(x, y, 32, cudaMemcpyDeviceToDevice, stream_), cudaSuccess);
  const cudaGraphExec_t graph = end();
  EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
  EXPECT_THAT(read(y, 8), Each(IsNan()));
  for (int i = 1; i <= 3; ++i) EXPECT_EQ(cudaGraphLaunch(graph, stream_), cudaSuccess);
  EXPECT_EQ(read(y, 8), ascending(8, 3));
  EXPECT_EQ(cudaGraphLaunch(graph, other_), cudaSuccess);
  EXPECT_EQ(cudaGraphExecDestroy(graph), cudaSuccess);  // what was launched still runs
  EXPECT_EQ(read(y, 8, other_), ascending(8, 4));
}

// Pinned memory is read and written anew by each launch.
TEST_F(CaptureDeathTest, CopiesWhatIsInTheHostsMemoryThen) {
  float *host = pinned(2), *x = device(1), *y = device(1);
  begin();
  EXPECT_EQ(cudaMemcpyAsync(x, host, 4, cudaMemcpyHostToDevice, stream_), cudaSuccess);
  EXPECT_EQ(launch(stream_, 1, 1, add_one, x, y), cudaSuccess);
  EXPECT_EQ(cudaMemcpyAsync(host + 1, y, 4, cudaMemcpyDeviceToHost, stream_), cudaSuccess);
  const cudaGraphExec_t graph = end();
  for (const float value : {5.0f, 7.0f}) {
    host[0] = value;
    EXPECT_EQ(cudaGraphLaunch(graph, stream_), cudaSuccess);
    EXPECT_TRUE(std::isnan(host[1]));
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    EXPECT_EQ(host[1], value + 1);
  }
  EXPECT_EQ(cudaGraphLaunch(graph, stream_), cudaSuccess);
  EXPECT_DEATH((host[0] = 1, cudaStreamSynchronize(stream_)), "host memory was changed before");
  EXPECT_EQ(cudaGraphExecDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaFreeHost(host), cudaSuccess);
}

TEST_F(Capture, EndsWhereACallMayNotBeMade) {
  float *x = device(1), *host = pinned(1), unpinned;
  cudaEvent_t event;
  EXPECT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  EXPECT_EQ(cudaEventRecord(event, other_), cudaSuccess);
  void* memory;
  const std::pair<cudaError_t, std::function<cudaError_t()>> calls[] = {
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaMalloc(&memory, 4); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaMallocHost(&memory, 4); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaHostAlloc(&memory, 4, 0); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaFree(x); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaFreeHost(host); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaStreamSynchronize(stream_); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaStreamDestroy(stream_); }},
      {cudaErrorStreamCaptureUnsupported, [] { return cudaDeviceSynchronize(); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaEventSynchronize(event); }},
      {cudaErrorStreamCaptureUnsupported, [&] { return cudaEventQuery(event); }},
      {cudaErrorStreamCaptureIsolation, [&] { return cudaStreamWaitEvent(stream_, event, 0); }},
      {cudaErrorStreamCaptureUnsupported,
       [&] { return cudaMemcpyAsync(&unpinned, x, 4, cudaMemcpyDeviceToHost, stream_); }},
      {cudaErrorStreamCaptureUnsupported,
       [&] { return cudaMemcpyAsync(x, &unpinned, 4, cudaMemcpyHostToDevice, stream_); }},
  };
  int number = 0;
  for (const auto& [error, call] : calls) {
    SCOPED_TRACE(number++);
    begin();
    EXPECT_EQ(cudaMemsetAsync(x, 0, 4, stream_), cudaSuccess);
    EXPECT_EQ(call(), error);
    EXPECT_EQ(cudaGetLastError(), error);
    cudaGraph_t graph;
    EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorStreamCaptureInvalidated);
    EXPECT_EQ(graph, nullptr);
    EXPECT_EQ(cudaGetLastError(), cudaErrorStreamCaptureInvalidated);
  }
  EXPECT_THAT(read(x, 1), Each(IsNan()));
  EXPECT_EQ(cudaFreeHost(host), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(CaptureDeathTest, KeepsItsEventsToItself) {
  cudaEvent_t event;
  EXPECT_EQ(cudaEventCreateWithFlags(&event, cudaEventDisableTiming), cudaSuccess);
  begin();
  EXPECT_EQ(cudaEventRecord(event, stream_), cudaSuccess);
  EXPECT_EQ(cudaStreamWaitEvent(stream_, event, 0), cudaSuccess);
  EXPECT_DEATH(cudaStreamWaitEvent(other_, event, 0), "the emulation captures one stream");
  const cudaGraphExec_t graph = end();
  EXPECT_EQ(cudaEventSynchronize(event), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaEventQuery(event), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaGetLastError(), cudaErrorCapturedEvent);
  EXPECT_EQ(cudaEventRecord(event, stream_), cudaSuccess);
  EXPECT_EQ(cudaEventSynchronize(event), cudaSuccess);
  EXPECT_EQ(cudaGraphExecDestroy(graph), cudaSuccess);
  EXPECT_EQ(cudaEventDestroy(event), cudaSuccess);
}

TEST_F(Capture, IsOneAtATime) {
  cudaGraph_t graph;
  EXPECT_EQ(cudaStreamEndCapture(stream_, &graph), cudaErrorIllegalState);
  begin();
  EXPECT_EQ(cudaStreamBeginCapture(other_, cudaStreamCaptureModeThreadLocal),
            cudaErrorIllegalState);
  EXPECT_EQ(cudaStreamEndCapture(other_, &graph), cudaErrorIllegalState);
  EXPECT_EQ(cudaGraphExecDestroy(end()), cudaSuccess);
  EXPECT_EQ(cudaGetLastError(), cudaErrorIllegalState);
}

}  // namespace
}  // namespace cudaemu
