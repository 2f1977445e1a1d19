// The snapshots of one run: where they go, when the next one is due, what happens where it cannot
// be written, and which of them stay. PREFIX_latest.caffemodel and .solverstate are links to the
// newest, PREFIX_best.caffemodel is one to the best, to its averages where there are some (with .h5
// behind, where they are HDF5). Among several ranks rank 0 alone looks at files and writes them;
// the others hear what it found and what became of it, so that all go on alike.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/lock_file.h"
#include "orepa/communicator.h"
#include "orepa/solver.h"
#include "solvers/settings.h"
#include "solvers/snapshot.h"

namespace orepa {

class Snapshots {
 public:
  // `observer` and `ranks`, null where there is one, must outlive this. Nothing is written yet.
  Snapshots(const SolverSettings& settings, Observer& observer, Communicator* ranks = nullptr);

  // The newest whole one, empty if there is none. The observer hears of the damaged ones.
  std::string newest() const;

  // Whether there are any.
  bool any() const;
  // Removes them, the links included. REQUIRES: locks().
  void remove_all();

  // Makes the folders, and removes what killed runs left half written. While the locks live, no
  // other run can have them. Throws Error where one has them, and where files cannot be written
  // there.
  std::vector<LockFile> locks() const;

  // Writes it and tells the observer. Throws Error where it can be written nowhere.
  void write(Snapshot&& snapshot);
  // The same, but a failure is told to the observer, and another snapshot is due later.
  void try_to_write(Snapshot&& snapshot, int64_t iteration);
  // Whether try_to_write() failed, and this is the iteration to try again.
  bool retry(int64_t iteration) const { return iteration == retry_; }

  // The run goes on from that state, of that iteration.
  void resume(const std::string& state, int64_t iteration);
  // Whether there is one of this iteration, written by this run or gone on from, under a prefix of
  // its own.
  bool has(int64_t iteration) const { return !prefix_.empty() && iteration == iteration_; }
  // That one is the best, and is kept; -1: none is.
  void set_best(int64_t iteration) { best_ = iteration; }
  // Makes PREFIX_latest lead to the last one, and removes those that do not stay. write() does it,
  // too, but a run that is killed may not come to it.
  void settle();
  // Makes PREFIX_best lead to it, where it is there, beside the last one.
  void link_best();

  // Of the state that was written last, or that the run goes on from; empty where there is none.
  std::string last;

 private:
  bool writes() const { return ranks_ == nullptr || ranks_->rank() == 0; }
  // What rank 0 has.
  std::string shared(std::string text) const {
    return ranks_ == nullptr ? text : ranks_->broadcast(std::move(text));
  }
  // Returns under which prefix, and notes why under none before it; throws Error where there is
  // none.
  size_t write_somewhere(Snapshot& snapshot);
  void link(const std::string& name, const std::string& target);  // behind the prefix, both
  void remove_old();

  Observer& observer_;
  Communicator* ranks_;
  const std::string hdf5_;  // the end of names
  const bool averages_;     // whether there are any, by which the best is judged
  const int64_t keep_;
  // Of the last one, where it is one of a prefix of ours.
  std::string prefix_;
  int64_t iteration_ = -1;
  int64_t best_ = -1;
  std::vector<std::string> prefixes_;  // where to write: the second where the first is impossible
  int64_t wait_ = 0, retry_ = -1;      // in iterations
};

}  // namespace orepa
