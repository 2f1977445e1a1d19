#include "tests/cudaemu/streams.h"

#include <algorithm>

#include "tests/cudaemu/capture.h"
#include "tests/cudaemu/errors.h"
#include "tests/cudaemu/memory.h"
#include "tests/cudaemu/violation.h"

struct CUstream_st {
  cudaemu::Stream stream;
};

struct CUevent_st {
  int device = cudaemu::current_device();
  // Outlives the event where work holds it.
  std::shared_ptr<cudaemu::Mark> mark = std::make_shared<cudaemu::Mark>();
};

namespace cudaemu {
namespace {

// In the order in which they were made: the same in every run.
std::vector<std::unique_ptr<CUstream_st>>& streams() {
  static auto& streams = *new std::vector<std::unique_ptr<CUstream_st>>;
  return streams;
}

auto find(cudaStream_t stream) {
  return std::find_if(streams().begin(), streams().end(),
                      [&](const auto& one) { return one.get() == stream; });
}

// REQUIRES: a DeviceAccess.
void run_first(Stream& stream) {
  const Work work = std::move(stream.queue.front());
  stream.queue.pop_front();
  const Running before = running;
  running = {.work = work.name, .device = stream.device};
  for (const MemoryRange& range : work.memory) open_device(range);
  work.run();
  running = before;
}

// The end of a wait of the host.
cudaError_t waited() {
  require_launches_checked();
  return cudaSuccess;
}

}  // namespace

Stream& stream_of(cudaStream_t stream) {
  if (stream == nullptr || stream == cudaStreamLegacy || stream == cudaStreamPerThread)
    violation("the null stream is used; make a stream of your own");
  const auto found = find(stream);
  if (found == streams().end()) violation("a stream is used that was destroyed");
  return (*found)->stream;
}

void issue(Stream& stream, Issue issue) {
  if (stream.capture != nullptr)
    stream.capture->add(std::move(issue));
  else
    issue(stream);
}

void enqueue(cudaStream_t stream, const char* name, std::vector<MemoryRange> memory,
             std::function<void()> run) {
  if (const int device = stream_of(stream).device; device != current_device())
    violation(name, ": the stream is of device ", device, ", and device ", current_device(),
              " is the thread's current one");
  for (const MemoryRange& range : memory) require_device(range, name);
  issue(stream_of(stream), [work = Work{name, std::move(memory), std::move(run)}](Stream& stream) {
    stream.queue.push_back(work);
  });
}

void run_all(Stream& stream) {
  if (stream.queue.empty()) return;
  const DeviceAccess access;
  while (!stream.queue.empty()) run_first(stream);
}

void run_all_streams() {
  for (const auto& stream : streams()) run_all(stream->stream);
}

void run_up_to(Mark& mark, int64_t recorded) {
  if (mark.reached >= recorded) return;
  const DeviceAccess access;
  while (mark.reached < recorded) run_first(*mark.stream);
}

}  // namespace cudaemu

using namespace cudaemu;

extern "C" {

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  streams().push_back(std::make_unique<CUstream_st>(cudaemu::Stream{current_device()}));
  *stream = streams().back().get();
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  Stream& queue = stream_of(stream);
  if (queue.capture != nullptr) return failed(queue.capture->refuse());
  run_all(queue);  // what it was given is still done
  streams().erase(find(stream));
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  Stream& queue = stream_of(stream);
  if (const cudaError_t error = refused_by_capture()) return failed(error);
  run_all(queue);
  return waited();
}

cudaError_t cudaDeviceSynchronize() {
  if (const cudaError_t error = refused_by_capture()) return failed(error);
  run_all_streams();
  return waited();
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  Stream& queue = stream_of(stream);
  const auto mark = event->mark;
  if (mark->captured) {
    if (queue.capture == nullptr || mark->stream != &queue)
      violation(
          "a stream waits for an event of another one that is captured; the emulation "
          "captures one stream");
    return cudaSuccess;  // behind it already
  }
  if (queue.capture != nullptr) {
    queue.capture->refuse();
    return failed(cudaErrorStreamCaptureIsolation);
  }
  queue.queue.push_back({"a wait for an event", {}, [mark, recorded = mark->recorded] {
                           run_up_to(*mark, recorded);
                         }});
  return cudaSuccess;
}

cudaError_t cudaLaunchHostFunc(cudaStream_t stream, cudaHostFn_t function, void* data) {
  enqueue(stream, "a function of the host", {}, [=] { function(data); });
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new CUevent_st;
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  Stream& queue = stream_of(stream);
  if (queue.device != event->device) return failed(cudaErrorInvalidResourceHandle);
  const auto mark = event->mark;
  mark->stream = &queue;
  mark->captured = queue.capture != nullptr;
  if (mark->captured) return cudaSuccess;
  queue.queue.push_back({"an event", {}, [mark, recorded = ++mark->recorded] {
                           mark->reached = std::max(mark->reached, recorded);
                         }});
  return cudaSuccess;
}

// An event is done at the second question at the earliest: who asks gets to see both answers, and
// who asks until it's done comes to an end.
cudaError_t cudaEventQuery(cudaEvent_t event) {
  if (event->mark->captured) return failed(cudaErrorCapturedEvent);
  if (const cudaError_t error = refused_by_capture()) return failed(error);
  Mark& mark = *event->mark;
  if (mark.reached >= mark.recorded) return waited();
  run_up_to(mark, mark.recorded);
  return failed(cudaErrorNotReady);
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  if (event->mark->captured) return failed(cudaErrorCapturedEvent);
  if (const cudaError_t error = refused_by_capture()) return failed(error);
  run_up_to(*event->mark, event->mark->recorded);
  return waited();
}

}  // extern "C"
