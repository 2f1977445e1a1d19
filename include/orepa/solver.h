// Solver: trains a net by a SolverParameter.
//
// Owns the parameters, the arena, the training net and the test nets. Prints nothing: an Observer
// hears what happens. One thread. An iteration is iter_size forward and backward passes and one
// update; it counts updates, as Caffe's does.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "orepa/communicator.h"
#include "orepa/evaluate.h"
#include "orepa/model_io.h"
#include "orepa/net.h"
#include "orepa/params.h"

namespace orepa {

enum class Request { kNone, kSnapshot, kStop };

// What a run tells. Called from solve(), on the same thread.
class Observer {
 public:
  virtual ~Observer() = default;
  struct Progress {
    int64_t iteration = 0, last_iteration = 0;  // updates done, and how many there will be
    double epoch = 0;                           // 0 where the net has no source of samples
    double loss = 0;                            // mean over the last average_loss iterations
    double rate = 0;                            // of the last update
    int64_t images_per_iteration = 0;
    int64_t images = 0;    // since the start of this run
    double data_wait = 0;  // seconds of it that were spent waiting for sources of data
  };
  // solve() begins: no other run has the snapshot_prefix, and nothing has been written yet. What it
  // throws, solve() throws.
  virtual void started() {}
  // After every iteration; where the device computes on its own, when the next one has been issued.
  virtual void progress(const Progress&) {}
  // Where early_stop_tests ends the training after this iteration, of which progress() has told
  // unless the run went on from there.
  virtual void ended_early(const Progress&) {}
  // `net` counts the test nets from 0, in the order of SolverSpec::test_nets().
  virtual void tested(int64_t /*iteration*/, int /*net*/, const Evaluation&) {}
  virtual void snapshotted(const std::string& /*state_path*/) {}
  // With debug_info, of the iterations that `display` names (0: all), while they are issued. The
  // gradients of an update are sums over iter_size passes, neither clipped nor decayed.
  virtual void measured(int64_t /*iteration*/, const Measure&) {}
  virtual void note(const std::string&) {}  // what the user should know
  // What its sources of samples have found, broken ones say. Among several ranks each has its own.
  virtual void data_note(const std::string& what) { note(what); }
  // Asked before every iteration, between its passes (which a stop abandons) and between the
  // batches of a test. A stop snapshots first.
  virtual Request request() { return Request::kNone; }
};

struct SolverOptions {
  int level = 0;
  std::vector<std::string> stages;
  // A .solverstate to go on from; "auto": the newest whole one of snapshot_prefix and
  // snapshot_fallback, or none.
  std::string snapshot;
  // Sets Input blobs before each pass, of nets that have some; `pass` counts as Net::forward's
  // index, and a pass may be asked for again.
  std::function<void(Net&, int64_t pass)> feed;
  // Called after every batch of a test: the number of the test net, as Observer::tested() counts,
  // the net, whose blobs `blobs` can be read, and the number of the first sample. Test nets
  // without such blobs are left out. Where it is set, test nets keep those blobs in memory.
  std::function<void(int test, Net& net, const TestBlobs& blobs, int64_t first_sample)> observe;
  // On a CUDA device: records what the passes and the update issue, and launches the recordings
  // (Device::record). The same bits either way.
  bool cuda_graph = false;
  // Who trains the same net, each with its rows of every batch; all make the same calls. All read
  // the state that rank 0 has chosen to go on from; rank 0 alone writes snapshots. Null: nobody.
  Communicator* ranks = nullptr;
};

class Solver {
 public:
  // Builds every net and finds out whether they fit, so that a long run fails now or not at all.
  // `device` and `observer` must outlive the solver.
  Solver(const SolverSpec& spec, Device& device, SolverOptions options, Observer& observer);
  ~Solver();
  Solver(const Solver&) = delete;
  Solver& operator=(const Solver&) = delete;

  // Trains to the end, or until asked to stop; tests and snapshots on the way: PREFIX_iter_N, of
  // which snapshot_keep stay, and links, PREFIX_latest to the newest and PREFIX_best to the best by
  // the first Accuracy of the first test net, else by its loss; with ema_decay it leads to the
  // averages, PREFIX_iter_N_ema, which were tested. Returns whether it reached the end,
  // which early_stop_tests may bring forward.
  // Meanwhile PREFIX.lock keeps other runs from its snapshot_prefix. A snapshot on the way that
  // cannot be written is noted and tried again; throws Error where the last one, or one that is
  // asked for with a stop, cannot.
  bool solve();
  // One iteration; returns its loss. Throws Error where the loss or a gradient is not finite,
  // before the update; where only the gradient of a factor is not, which finish() makes layer by
  // layer, before the update of its layer, when others are a step ahead. Neither step() nor
  // snapshot() work any more then.
  double step();
  // Of the whole test, or of so many batches; with ema_decay of the averages, which parameters()
  // are meanwhile. Throws TestFailure as Evaluator::run() does.
  Evaluation test(int net = 0, int64_t batches = 0);
  // Returns the path of the state. Throws Error where it cannot be written, and where a number of
  // it is not finite.
  std::string snapshot();

  // Whether solve() begins with a test: of a new run, or of one that goes on from an iteration
  // whose test may not have been through.
  bool tests_first() const;
  // Whether there are snapshots of its snapshot_prefix, in snapshot_fallback too.
  bool has_snapshots() const;
  // Removes them and the links to them; to be called from Observer::started().
  void remove_snapshots();

  // The training net, at its own image size.
  Net& net();
  Parameters& parameters();
  // Device memory that the run holds: parameters, gradients, history, averages, packed weights and
  // the arena that all nets share.
  int64_t planned_bytes() const;
  int test_nets() const;  // 0 where no test_interval is given
  int64_t iteration() const;
  int64_t last_iteration() const;
  int64_t iterations_per_epoch() const;     // 0 where the net has no source of samples
  int64_t test_interval() const;            // in iterations; 0: no tests
  int64_t test_batches(int net = 0) const;  // of a whole test
  // How much there is to compute in iterations [begin, end), about: one at the net's own image size
  // counts 1 (TrainingNets::work).
  double work(int64_t begin, int64_t end) const;
  double rate(int64_t iteration) const;
  std::string snapshot_prefix() const;
  // How many numbers the update rule remembers of a weight, and those of a parameter, in Caffe's
  // order; zeros where nothing is remembered.
  int histories() const;
  std::vector<float> history(const Parameter& parameter, int block = 0) const;

 private:
  struct Run;
  std::unique_ptr<Run> run_;
};

}  // namespace orepa
