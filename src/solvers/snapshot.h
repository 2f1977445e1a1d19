// Snapshots: PREFIX_iter_N.caffemodel and PREFIX_iter_N.solverstate, or the same as HDF5 (.h5
// appended), Caffe's formats. Our own fields make a resume exact: running statistics as they were,
// what layers hand from pass to pass, and checksums of all files. Where training averages,
// PREFIX_iter_N_ema.caffemodel holds the averages.
#pragma once
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orepa/model_io.h"
#include "orepa/params.h"
#include "solvers/averages.h"
#include "solvers/best.h"
#include "solvers/history.h"
#include "solvers/net_states.h"

namespace orepa {

class SolverState;

struct SnapshotState {
  int64_t iteration = 0;
  uint64_t seed = 0;
  bool has_seed = false;  // Caffe's own files have none
  std::string device;     // Device::description()
  std::optional<Best> best;
  std::vector<double> recent_losses;  // of the last iterations, the oldest first
  NetStates states;                   // of the training net
  bool has_averages = false;          // read, not written: the averages that are given say it
};

// One in memory, which may be written to one place or another.
class Snapshot {
 public:
  // `averages`: null where there are none. Throws Error where a number is not finite: it names the
  // parameter.
  Snapshot(const SnapshotState& state, const NetSpec& net, const Parameters& parameters,
           const History& history, bool hdf5, Averages* averages = nullptr);
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;
  ~Snapshot();

  // Writes all files or, where it throws Error, none; returns the path of the state.
  std::string write(const std::string& prefix);
  int64_t iteration() const;

 private:
  std::string ending_, weights_, averages_;  // the end of names, and what goes into the files
  std::unique_ptr<SolverState> state_;
};

// Only what is needed before the parameters exist. Throws Error for a file that is no whole state.
SnapshotState read_snapshot_state(const std::string& path);
// Weights, running statistics, history and, where both are there, averages. Throws Error where the
// files are damaged or do not fit.
void restore_snapshot(const std::string& path, Parameters& parameters, History& history,
                      Averages* averages = nullptr);

// The files of a prefix's snapshots, by iteration.
std::multimap<int64_t, std::string> snapshot_files(const std::string& prefix);

struct NewestSnapshot {
  std::string path;                  // of the state; empty if there is none
  std::vector<std::string> damaged;  // what is wrong with each newer one
};
// The newest one of these prefixes whose files are whole.
NewestSnapshot newest_snapshot(const std::vector<std::string>& prefixes);

}  // namespace orepa
