// The inside of a Solver: what a run consists of, how its iterations are issued and told of, what a
// snapshot takes, and when a test is due. The order of all that is Solver::solve().
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "orepa/solver.h"
#include "solvers/learning_rate.h"
#include "solvers/recent_losses.h"
#include "solvers/settings.h"
#include "solvers/snapshots.h"
#include "solvers/test_nets.h"
#include "solvers/training_nets.h"
#include "solvers/training_step.h"

namespace orepa {

struct Solver::Run {
  Run(const SolverSpec& spec, Device& device, SolverOptions given, Observer& observer);
  void restore();

  // At its own size; nets for other image sizes differ from it in nothing else.
  Net& net() const { return nets->own(); }
  int64_t iterations_per_epoch() const;  // 0 where the net has no source of samples
  int64_t images_per_iteration() const;  // of all ranks
  std::string place() const;             // what bits depend on besides the program

  // The strongest request that has not been answered yet.
  Request poll();
  // Issues one iteration, unless it is abandoned.
  bool launch(const std::function<bool()>& stop);
  Net::Watch watch();  // what the next iteration tells
  void change_image_size();
  void pass_on(const std::vector<std::string>& notes) {  // of sources of data
    for (const std::string& note : notes) observer.data_note(note);
  }

  // What is wrong with the device or the data is an end: nobody knows how much of the iteration is
  // done.
  void in_iteration(int64_t number, const std::function<void()>& call);
  void require_whole() const { require(failure.empty(), failure, untouched()); }
  std::string untouched() const;
  // What became of the oldest iteration that nobody asked about yet; nothing where the device has
  // not told yet, unless `wait`. Throws Error where a number of it is not finite.
  std::optional<TrainingStep::Result> result(bool wait);
  // After so many iterations, the last of which recent_losses knows.
  Observer::Progress progress_at(int64_t iterations) const;
  // Reports what the device has told. One iteration may stay open, so that the device has work
  // while the host reads; none where somebody wants to know what they all came to. Ranks read the
  // same ones at the same time: where one failed, they look for the reason together.
  void report(bool all);

  // Once an iteration: the mean of equal numbers may not be the same number.
  void share_statistics();
  Snapshot take_snapshot();

  bool test_due() const;
  // Whether solve() begins with a test. That of the iteration that a run goes on from is made
  // again: whoever ended the run may have done so before it was through.
  bool tests_first() const;
  void judge(const Evaluation& evaluation);  // of the first test net
  // Whether it is time to end, because no test becomes better; the observer hears of it.
  bool stops_early();

  SolverSpec spec;
  SolverSettings settings;
  Schedule schedule;
  Device& device;
  SolverOptions options;
  Observer& observer;
  Snapshots snapshots;
  std::string resumed;
  SnapshotState state;  // of what is resumed
  NetSpec net_spec;
  Parameters parameters;
  Arena arena;
  std::unique_ptr<TrainingNets> nets;
  TestNets tests;  // none where there is no test_interval
  std::unique_ptr<LearningRate> learning_rate;
  std::unique_ptr<TrainingStep> step;
  int64_t iteration = 0, first_iteration = 0;  // issued so far, and before this run
  int64_t shared_at = 0;  // the iteration whose running statistics all ranks have alike
  std::optional<Best> best;
  std::string failure;  // why it can't go on; empty where it can
  Request pending = Request::kNone;
  RecentLosses recent_losses;
};

}  // namespace orepa
