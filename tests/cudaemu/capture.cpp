#include "tests/cudaemu/capture.h"

#include <memory>

#include "tests/cudaemu/errors.h"
#include "tests/cudaemu/violation.h"

struct CUgraph_st {
  std::vector<cudaemu::Issue> issues;
};

struct CUgraphExec_st {
  std::vector<cudaemu::Issue> issues;
};

namespace cudaemu {
namespace {

thread_local std::unique_ptr<Capture> capture_of_thread;

}  // namespace

cudaError_t refused_by_capture() {
  return capture_of_thread == nullptr ? cudaSuccess : capture_of_thread->refuse();
}

}  // namespace cudaemu

using namespace cudaemu;

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
  Stream& queue = stream_of(stream);
  if (mode != cudaStreamCaptureModeThreadLocal)
    violation("cudaStreamBeginCapture() in another mode than the thread-local one");
  if (capture_of_thread != nullptr) return failed(cudaErrorIllegalState);
  capture_of_thread = std::make_unique<Capture>();
  queue.capture = capture_of_thread.get();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  Stream& queue = stream_of(stream);
  *graph = nullptr;
  if (queue.capture == nullptr || queue.capture != capture_of_thread.get())
    return failed(cudaErrorIllegalState);
  const std::unique_ptr<Capture> capture = std::move(capture_of_thread);
  queue.capture = nullptr;
  if (capture->refused()) return failed(cudaErrorStreamCaptureInvalidated);
  *graph = new CUgraph_st{capture->issues()};
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph,
                                 unsigned long long) {
  *executable = new CUgraphExec_st{graph->issues};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
  Stream& queue = stream_of(stream);
  if (queue.capture != nullptr) return failed(queue.capture->refuse());
  for (const Issue& issue : executable->issues) issue(queue);
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t executable) {
  delete executable;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

}  // extern "C"
