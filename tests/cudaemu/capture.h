// Capture of a stream into a graph: calls are recorded, checked as ever, and made at every launch.
// Thread-local capture of one stream: none of another may join it.
#pragma once
#include <cuda_runtime_api.h>

#include <vector>

#include "tests/cudaemu/streams.h"

namespace cudaemu {

class Capture {
 public:
  void add(Issue issue) { issues_.push_back(std::move(issue)); }
  // Ends in an error: what was called cannot be captured.
  cudaError_t refuse() {
    refused_ = true;
    return cudaErrorStreamCaptureUnsupported;
  }
  bool refused() const { return refused_; }
  const std::vector<Issue>& issues() const { return issues_; }

 private:
  std::vector<Issue> issues_;
  bool refused_ = false;
};

// For calls that may not be made while the calling thread captures, such as cudaMalloc() and all
// that wait: an error then, and the end of the capture.
cudaError_t refused_by_capture();

}  // namespace cudaemu
