// Streams are queues of work that nobody has waited for yet. A stream runs when the host waits for
// it, or another stream that must run does, through an event.
#pragma once
#include <cuda_runtime_api.h>

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <vector>

#include "tests/cudaemu/emulation.h"

namespace cudaemu {

class Capture;

struct Work {
  const char* name;
  std::vector<MemoryRange> memory;  // that is opened before it runs; a kernel opens the rest
  std::function<void()> run;
};

struct Stream {
  int device;
  std::deque<Work> queue = {};
  Capture* capture = nullptr;  // that records what it's given
};

// A place in a stream.
struct Mark {
  Stream* stream = nullptr;
  int64_t recorded = 0, reached = 0;  // how often
  bool captured = false;              // the last time in a stream that was captured
};

// A violation where there is no such stream. The null stream is not emulated: work belongs to
// streams of their own.
Stream& stream_of(cudaStream_t stream);

// What a call of the runtime gives to a stream: done at once or, where the stream is captured,
// recorded and done at every launch of the graph.
using Issue = std::function<void(Stream&)>;
void issue(Stream& stream, Issue issue);

void run_all(Stream& stream);
void run_all_streams();
void run_up_to(Mark& mark, int64_t recorded);

}  // namespace cudaemu
