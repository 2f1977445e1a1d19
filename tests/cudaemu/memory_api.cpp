// The runtime's memory and copies.
#include <cuda_runtime_api.h>

#include <cstring>
#include <list>
#include <memory>

#include "tests/cudaemu/capture.h"
#include "tests/cudaemu/errors.h"
#include "tests/cudaemu/memory.h"
#include "tests/cudaemu/streams.h"
#include "tests/cudaemu/violation.h"

namespace cudaemu {
namespace {

// Pinned memory that a stream is to read, with what was there when it was told so.
struct HostRead {
  const char* data;
  std::vector<char> then;
};
std::list<HostRead>& host_reads() {
  static auto& reads = *new std::list<HostRead>;
  return reads;
}

bool to_be_read(const char* begin, const char* end) {
  for (const HostRead& read : host_reads())
    if (read.data < end && begin < read.data + read.then.size()) return true;
  return false;
}

void require_direction(const void* to, const void* from, cudaMemcpyKind kind) {
  const bool to_device = is_device_address(to), from_device = is_device_address(from);
  const cudaMemcpyKind kinds[] = {cudaMemcpyHostToHost, cudaMemcpyDeviceToHost,
                                  cudaMemcpyHostToDevice, cudaMemcpyDeviceToDevice};
  if (kind != cudaMemcpyDefault && kind != kinds[2 * to_device + from_device])
    violation("a copy of kind ", int{kind}, " goes from ", from_device ? "the device" : "the host",
              " to ", to_device ? "the device" : "the host");
}

void issue_upload(Stream& stream, void* to, const void* from, size_t bytes) {
  const auto* data = static_cast<const char*>(from);
  const auto read =
      host_reads().insert(host_reads().end(), {data, std::vector<char>(data, data + bytes)});
  stream.queue.push_back({"a copy from the host", {{to, bytes}}, [=] {
                            if (std::memcmp(from, read->then.data(), bytes) != 0)
                              violation("host memory was changed before the copy out of it ran");
                            std::memcpy(to, from, bytes);
                            host_reads().erase(read);
                          }});
}

// Who reads it before the stream was waited for finds poison.
void issue_download(Stream& stream, void* to, const void* from, size_t bytes) {
  auto* data = static_cast<char*>(to);
  if (!to_be_read(data, data + bytes)) std::memset(to, 0xff, bytes);
  stream.queue.push_back(
      {"a copy to the host", {{from, bytes}}, [=] { std::memcpy(to, from, bytes); }});
}

// Memory that isn't pinned is copied as on the device: out of it before the call returns, into it
// too, which is a wait.
void issue_unpinned_upload(cudaStream_t stream, void* to, const void* from, size_t bytes) {
  const auto* data = static_cast<const char*>(from);
  enqueue(stream, "a copy from the host", {{to, bytes}},
          [to, bytes, staged = std::vector<char>(data, data + bytes)] {
            std::memcpy(to, staged.data(), bytes);
          });
}

cudaError_t release(void* memory, bool (*release_memory)(void*)) {
  if (memory == nullptr) return cudaSuccess;
  if (const cudaError_t error = refused_by_capture()) return failed(error);
  run_all_streams();  // as on the device
  return release_memory(memory) ? cudaSuccess : failed(cudaErrorInvalidValue);
}

}  // namespace
}  // namespace cudaemu

using namespace cudaemu;

extern "C" {

cudaError_t cudaMalloc(void** memory, size_t bytes) {
  *memory = nullptr;
  if (const cudaError_t error = refused_by_capture()) return failed(error);
  if (bytes == 0) return cudaSuccess;
  *memory = allocate_device(bytes);
  return *memory != nullptr ? cudaSuccess : failed(cudaErrorMemoryAllocation);
}

cudaError_t cudaFree(void* memory) { return release(memory, release_device); }

cudaError_t cudaMallocHost(void** memory, size_t bytes) {
  *memory = nullptr;
  if (const cudaError_t error = refused_by_capture()) return failed(error);
  if (bytes == 0) return cudaSuccess;
  *memory = allocate_pinned(bytes);
  return *memory != nullptr ? cudaSuccess : failed(cudaErrorMemoryAllocation);
}

cudaError_t cudaHostAlloc(void** memory, size_t bytes, unsigned) {
  return cudaMallocHost(memory, bytes);
}

cudaError_t cudaFreeHost(void* memory) { return release(memory, release_pinned); }

cudaError_t cudaMemGetInfo(size_t* free, size_t* total) {
  *free = free_device_bytes();
  *total = kDeviceBytes;
  return cudaSuccess;
}

cudaError_t cudaMemsetAsync(void* memory, int value, size_t bytes, cudaStream_t stream) {
  enqueue(stream, "cudaMemsetAsync", {{memory, bytes}}, [=] { std::memset(memory, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                            cudaStream_t stream) {
  Stream& queue = stream_of(stream);
  if (bytes == 0) return cudaSuccess;
  require_direction(to, from, kind);
  const bool to_device = is_device_address(to), from_device = is_device_address(from);
  if (to_device) require_device({to, bytes}, "the destination of a copy");
  if (from_device) require_device({from, bytes}, "the source of a copy");
  if (to_device && from_device) {
    enqueue(stream, "a copy", {{to, bytes}, {from, bytes}}, [=] { std::memmove(to, from, bytes); });
    return cudaSuccess;
  }
  if (!to_device && !from_device) violation("a copy from the host to the host");
  if (!is_pinned({to_device ? from : to, bytes})) {
    if (queue.capture != nullptr) return failed(queue.capture->refuse());
    if (to_device) {
      issue_unpinned_upload(stream, to, from, bytes);
    } else {
      issue_download(queue, to, from, bytes);
      return cudaStreamSynchronize(stream);
    }
    return cudaSuccess;
  }
  issue(queue, [=](Stream& stream) {
    (to_device ? issue_upload : issue_download)(stream, to, const_cast<void*>(from), bytes);
  });
  return cudaSuccess;
}

}  // extern "C"
