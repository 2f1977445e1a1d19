#include "orepa/solver.h"

#include "solvers/run.h"

namespace orepa {

Solver::Solver(const SolverSpec& spec, Device& device, SolverOptions options, Observer& observer)
    : run_(std::make_unique<Run>(spec, device, std::move(options), observer)) {}

Solver::~Solver() = default;

double Solver::step() {
  Run& s = *run_;
  s.launch([] { return false; });
  return s.result(true)->loss;
}

bool Solver::solve() {
  Run& s = *run_;
  const std::vector<LockFile> locks = s.snapshots.locks();
  s.observer.started();
  s.snapshots.settle();
  s.snapshots.link_best();  // of a run that was gone back from, another one may have been better
  const auto stop = [&] { return s.poll() == Request::kStop; };
  const auto test_now = [&] {
    try {
      for (int net = 0; net < test_nets(); ++net) {
        const Evaluation evaluation = test(net);
        if (!evaluation.complete) return;
        s.observer.tested(s.iteration, net, evaluation);
        if (net == 0) s.judge(evaluation);
      }
    } catch (const TestFailure&) {
      // What was trained is sound, whatever is wrong with the test.
      const bool trained = s.iteration > s.first_iteration;
      if (trained && s.iteration < s.schedule.last_iteration) snapshot();
      throw;
    }
  };
  const auto ended = [&](bool reached) {
    net().finish_files();
    return reached;
  };
  const bool tests_first = s.tests_first();
  // One that is there is not written again: a kill amidst that would leave none of this iteration.
  const auto snapshot_once = [&] {
    if (!s.snapshots.has(s.iteration)) snapshot();
  };
  if (s.iteration >= s.schedule.last_iteration && s.settings.snapshot_after_train) snapshot_once();
  if (tests_first) test_now();
  // Of a run that was ended so, or is to be from now on.
  if (s.iteration < s.schedule.last_iteration && s.stops_early()) return ended(true);
  while (s.iteration < s.schedule.last_iteration) {
    const Request request = s.poll();
    s.pending = Request::kNone;
    if (request == Request::kStop) {
      snapshot_once();
      return ended(false);
    }
    if (request == Request::kSnapshot || s.snapshots.retry(s.iteration))
      s.snapshots.try_to_write(s.take_snapshot(), s.iteration);

    if (!s.launch(stop)) continue;  // to be asked again
    const bool last = s.iteration == s.schedule.last_iteration;
    const bool snapshot_due =
        s.schedule.snapshot_interval > 0 && s.iteration % s.schedule.snapshot_interval == 0;
    s.report(last || snapshot_due || s.test_due());
    if (last && (snapshot_due || s.settings.snapshot_after_train))
      snapshot();
    else if (snapshot_due)
      s.snapshots.try_to_write(s.take_snapshot(), s.iteration);
    if (!s.test_due()) continue;
    test_now();
    if (!last && s.stops_early()) return ended(true);
  }
  return ended(true);
}

Evaluation Solver::test(int net, int64_t batches) {
  Run& s = *run_;
  require(net >= 0 && net < test_nets(), s.spec.name(), ": there is no test net ", net,
          s.schedule.test_interval == 0 ? "; set test_interval" : "");
  s.report(true);
  s.share_statistics();
  Evaluation evaluation;
  const auto run = [&] {
    evaluation = s.tests.run(net, batches, [&] { return s.poll() == Request::kStop; });
  };
  if (Averages* averages = s.step->averages())
    averages->in_place(run);
  else
    run();
  s.pass_on(s.tests.take_notes(net));
  return evaluation;
}

int64_t Solver::test_batches(int net) const { return run_->tests.batches(net); }

std::string Solver::snapshot() {
  Run& s = *run_;
  s.snapshots.write(s.take_snapshot());
  return s.snapshots.last;
}

bool Solver::tests_first() const { return run_->tests_first(); }
bool Solver::has_snapshots() const { return run_->snapshots.any(); }
void Solver::remove_snapshots() { run_->snapshots.remove_all(); }

int Solver::histories() const { return run_->step->history().blocks(); }
std::vector<float> Solver::history(const Parameter& parameter, int block) const {
  return run_->step->history().read(parameter, block);
}

Net& Solver::net() { return run_->net(); }
Parameters& Solver::parameters() { return run_->parameters; }
int64_t Solver::planned_bytes() const {
  const Run& s = *run_;
  return s.parameters.bytes() + s.step->bytes() + s.nets->persistent_bytes() +
         s.tests.persistent_bytes() + s.arena.bytes();
}
int Solver::test_nets() const { return run_->tests.count(); }
int64_t Solver::iteration() const { return run_->iteration; }
int64_t Solver::last_iteration() const { return run_->schedule.last_iteration; }
int64_t Solver::iterations_per_epoch() const { return run_->schedule.iterations_per_epoch; }
int64_t Solver::test_interval() const { return run_->schedule.test_interval; }
double Solver::work(int64_t begin, int64_t end) const { return run_->nets->work(begin, end); }
double Solver::rate(int64_t iteration) const { return run_->learning_rate->at(iteration); }
std::string Solver::snapshot_prefix() const { return run_->settings.prefix; }

}  // namespace orepa
