// The snapshots of one run: where they go, when the next one is due, and what happens where it
// cannot be written.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/lock_file.h"
#include "orepa/solver.h"
#include "solvers/settings.h"
#include "solvers/snapshot.h"

namespace orepa {

class Snapshots {
 public:
  // The folders are made. `observer` must outlive this.
  Snapshots(const SolverSettings& settings, Observer& observer);

  // The newest whole one, empty if there is none. The observer hears of the damaged ones.
  std::string newest() const;

  // While they live, no other run can have them. Throws Error where one has them, and where files
  // cannot be written there.
  std::vector<LockFile> locks() const;

  // Writes it and tells the observer. Throws Error where it can be written nowhere.
  void write(Snapshot&& snapshot);
  // The same, but a failure is told to the observer, and another snapshot is due later.
  void try_to_write(Snapshot&& snapshot, int64_t iteration);
  // Whether try_to_write() failed, and this is the iteration to try again.
  bool retry(int64_t iteration) const { return iteration == retry_; }

  // Of the state that was written last, or that the run goes on from; empty where there is none.
  std::string last;

 private:
  Observer& observer_;
  std::vector<std::string> prefixes_;  // where to write: the second where the first is impossible
  int64_t wait_ = 0, retry_ = -1;      // in iterations
};

}  // namespace orepa
