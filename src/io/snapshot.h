// Snapshots: PREFIX_iter_N.caffemodel and PREFIX_iter_N.solverstate, Caffe's formats. Our own
// fields make a resume exact: running statistics as they were, and checksums of both files.
#pragma once
#include <cstdint>
#include <string>

#include "momentum.h"
#include "orepa/model_io.h"
#include "orepa/params.h"

namespace orepa {

struct SnapshotState {
  int64_t iteration = 0;
  uint64_t seed = 0;
  bool has_seed = false;  // Caffe's own files have none
  std::string device;     // Device::description()
};

// Writes both files atomically, weights first; returns the path of the state.
std::string write_snapshot(const std::string& prefix, const SnapshotState& state,
                           const NetSpec& net, const Parameters& parameters,
                           const Momentum& momentum);

// Only what is needed before the parameters exist. Throws Error for a file that is no whole state.
SnapshotState read_snapshot_state(const std::string& path);
// Weights, running statistics and momentum. Throws Error where the files are damaged or do not fit.
void restore_snapshot(const std::string& path, Parameters& parameters, Momentum& momentum);

// The newest state of that prefix whose files are whole; empty if there is none.
std::string newest_snapshot(const std::string& prefix);

}  // namespace orepa
