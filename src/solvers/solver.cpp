#include "orepa/solver.h"

#include <algorithm>
#include <optional>

#include "solvers/learning_rate.h"
#include "solvers/recent_losses.h"
#include "solvers/settings.h"
#include "solvers/snapshots.h"
#include "solvers/statistics.h"
#include "solvers/test_nets.h"
#include "solvers/training_nets.h"
#include "solvers/training_step.h"

namespace orepa {
namespace {

SnapshotState read_state(const std::string& resumed) {
  return resumed.empty() ? SnapshotState{} : read_snapshot_state(resumed);
}

}  // namespace

struct Solver::State {
  State(const SolverSpec& spec, Device& device, SolverOptions given, Observer& observer)
      : spec(spec),
        settings(spec),
        device(device),
        options(std::move(given)),
        observer(observer),
        snapshots(settings, observer, options.ranks),
        resumed(options.snapshot == "auto" ? snapshots.newest() : options.snapshot),
        state(read_state(resumed)),
        net_spec(spec.net()),
        parameters(device, state.has_seed ? state.seed : settings.seed, true, settings.rules),
        arena(device),
        tests(settings, options),
        recent_losses(settings.average_loss) {
    require(!options.cuda_graph || device.is_cuda(), "steps become CUDA graphs on a CUDA device ",
            "only, this is ", device.description(), "; train without --cuda_graph");
    require(!options.cuda_graph || options.ranks == nullptr,
            "steps of several processes do not become CUDA graphs; train without --cuda_graph");
    settings.cuda_graph = options.cuda_graph;
    NetOptions net_options;
    net_options.phase = Phase::kTrain;
    net_options.level = options.level;
    net_options.stages = options.stages;
    net_options.weights_change_every_pass = settings.iter_size == 1;
    net_options.precision = settings.precision;
    net_options.ranks = options.ranks;
    net_options.sync_statistics = options.ranks != nullptr && settings.sync_statistics;
    nets = std::make_unique<TrainingNets>(net_spec, parameters, arena, net_options);
    if (const std::string note = net().precision_note(); !note.empty()) observer.note(note);
    schedule = Schedule(spec.options(), iterations_per_epoch());
    nets->plan(spec.options(), schedule.iterations_per_epoch);
    if (schedule.test_interval > 0)
      for (const NetSpec& test_net : spec.test_nets())
        tests.add(test_net, parameters, arena, net_options);
    learning_rate = std::make_unique<LearningRate>(spec.options(), schedule.iterations_per_epoch,
                                                   schedule.last_iteration);
    step = std::make_unique<TrainingStep>(settings, net(), parameters, options.feed, options.ranks);
    if (!resumed.empty()) restore();
  }

  // At its own size; nets for other image sizes differ from it in nothing else.
  Net& net() const { return nets->own(); }

  // 0 where the net has no source of samples.
  int64_t iterations_per_epoch() const {
    const int64_t images = images_per_iteration();
    return net().samples() > 0 ? (net().samples() + images - 1) / images : 0;
  }

  // Of all ranks.
  int64_t images_per_iteration() const {
    const int64_t whole = net().rows().whole;
    return settings.iter_size * (whole > 0 ? whole : net().batch_size());
  }

  void restore() {
    restore_snapshot(resumed, parameters, step->history(), step->averages());
    iteration = first_iteration = shared_at = state.iteration;
    if (step->averages() != nullptr && !state.has_averages)
      observer.note(text(resumed, " holds no averages: they begin with its weights (ema_decay)"));
    if (step->averages() == nullptr && state.has_averages)
      observer.note(text(resumed, " holds averages, which end here: there is no ema_decay"));
    snapshots.resume(resumed, iteration);
    best = state.best;
    for (const double loss : state.recent_losses) recent_losses.add(loss);
    write_states(device, state.states, net());  // from which it comes to those of other sizes
    if (!net().states().empty() && state.states.empty())
      observer.note(text(resumed, " holds no states that layers hand from pass to pass: they ",
                         "begin with zeros, as in Caffe"));
    if (best) snapshots.set_best(best->iteration);
    observer.note(text("resumed from ", resumed, " at iteration ", iteration));
    if (!state.device.empty() && state.device != place())
      observer.note(text("the snapshot was written on ", state.device, ", this is ", place(),
                         ": the run goes on, but not with the same bits as an uninterrupted one"));
  }

  // What bits depend on besides the program.
  std::string place() const {
    return text(device.description(), net().precision() == DType::kBFloat16 ? ", BF16" : "",
                options.ranks == nullptr ? "" : text(", ", options.ranks->size(), " processes"));
  }

  // The strongest request that has not been answered yet.
  Request poll() {
    pending = std::max(pending, observer.request());
    if (options.ranks == nullptr) return pending;
    auto strongest = static_cast<int64_t>(pending);
    options.ranks->maximum(&strongest, 1);  // so that all do it at the same moment
    return pending = static_cast<Request>(strongest);
  }

  std::string untouched() const {
    return snapshots.last.empty() ? ""
                                  : "; the last snapshot, " + snapshots.last + ", is untouched";
  }

  void require_whole() const { require(failure.empty(), failure, untouched()); }

  // Issues one iteration, unless it is abandoned.
  bool launch(const std::function<bool()>& stop) {
    require_whole();
    if (!nets->is_current(iteration)) change_image_size();
    step->watch(watch());
    bool issued = false;
    in_iteration(iteration,
                 [&] { issued = step->run(iteration, learning_rate->at(iteration), stop); });
    pass_on(nets->current().take_notes());
    if (issued) ++iteration;
    return issued;
  }

  // What the next iteration tells.
  Net::Watch watch() {
    const int64_t number = iteration + 1;
    const bool shown = settings.display == 0 || number % settings.display == 0;
    if (!settings.debug_info || !shown) return {};
    return [=, this](const Measure& measure) { observer.measured(number, measure); };
  }

  void change_image_size() {
    // Of iterations with the net that is there, which is asked where one of them failed.
    report(true);
    Net& next = nets->of(iteration);
    step->use(next);
    observer.note(text("from iteration ", iteration + 1, " on the images have ", next.image_size(),
                       " pixels along the shorter side (image_size)"));
  }

  // Of sources of data.
  void pass_on(const std::vector<std::string>& notes) {
    for (const std::string& note : notes) observer.data_note(note);
  }

  // What is wrong with the device or the data is an end: nobody knows how much of the iteration is
  // done.
  template <class Call>
  void in_iteration(int64_t number, Call call) {
    try {
      call();
    } catch (const Error& error) {
      // Before anything that is being added up is freed.
      if (options.ranks != nullptr) options.ranks->fail(error.what());
      failure = text("iteration ", number, " failed, so that there is nothing to go on from");
      fail("iteration ", number, ": ", error.what(), untouched());
    }
  }

  // What became of the oldest iteration that nobody asked about yet; nothing where the device has
  // not told yet, unless `wait`. Throws Error where a number of it is not finite.
  std::optional<TrainingStep::Result> result(bool wait) {
    std::optional<TrainingStep::Result> result;
    in_iteration(iteration - step->pending(), [&] {
      result = step->result(wait);
      // A device goes on without the ranks that have failed.
      const std::string lost = options.ranks == nullptr ? "" : options.ranks->failure();
      require(lost.empty(), lost);
    });
    if (!result) return result;
    if (result->failure.empty()) {
      recent_losses.add(result->loss);
      return result;
    }
    iteration = result->iteration;
    failure =
        result->updated_partly
            ? text("iteration ", iteration, " failed in the middle of its update: layers may ",
                   "be a step ahead of others, which is no state to save or to go on from")
            : text("iteration ", iteration, " failed, so that there is nothing to go on from");
    fail("iteration ", iteration, ": ", result->failure, untouched());
  }

  // After so many iterations, the last of which recent_losses knows.
  Observer::Progress progress_at(int64_t iterations) const {
    Observer::Progress progress;
    progress.iteration = iterations;
    progress.last_iteration = schedule.last_iteration;
    if (schedule.iterations_per_epoch > 0)
      progress.epoch = static_cast<double>(progress.iteration) /
                       static_cast<double>(schedule.iterations_per_epoch);
    progress.loss = recent_losses.mean();
    progress.rate = learning_rate->at(iterations - 1);
    progress.data_wait = nets->source_seconds();
    progress.images_per_iteration = images_per_iteration();
    progress.images = (progress.iteration - first_iteration) * progress.images_per_iteration;
    return progress;
  }

  // Reports what the device has told. One iteration may stay open, so that the device has work
  // while the host reads; none where somebody wants to know what they all came to. Ranks read the
  // same ones at the same time: where one failed, they look for the reason together.
  void report(bool all) {
    const auto waits = [&] { return all || step->pending() > 1; };
    while (waits() || options.ranks == nullptr) {
      const auto result = this->result(waits());
      if (!result) return;
      observer.progress(progress_at(result->iteration + 1));
    }
  }

  // Once an iteration: the mean of equal numbers may not be the same number.
  void share_statistics() {
    if (options.ranks == nullptr || iteration == shared_at) return;
    average_statistics(*options.ranks, parameters, step->averages());
    shared_at = iteration;
  }

  Snapshot take_snapshot() {
    require_whole();
    report(true);
    share_statistics();
    SnapshotState taken;
    taken.iteration = iteration;
    taken.seed = parameters.seed();
    taken.device = place();
    taken.best = best;
    taken.recent_losses = recent_losses.all();
    taken.states = read_states(device, nets->current());
    try {
      return {taken, net_spec, parameters, step->history(), settings.hdf5, step->averages()};
    } catch (const Error& error) {
      fail("iteration ", iteration, ": there is no snapshot of it: ", error.what(), untouched());
    }
  }

  bool test_due() const {
    const int64_t interval = schedule.test_interval;
    return interval > 0 && (iteration % interval == 0 || iteration >= schedule.last_iteration);
  }

  // Whether solve() begins with a test. That of the iteration that a run goes on from is made
  // again: whoever ended the run may have done so before it was through.
  bool tests_first() const {
    if (iteration == 0) return schedule.test_interval > 0 && settings.test_initialization;
    return iteration == first_iteration && test_due();
  }

  // Of the first test net.
  void judge(const Evaluation& evaluation) {
    if (!snapshots.has(iteration) || !orepa::judge(best, iteration, tests.spec(0), evaluation))
      return;
    snapshots.set_best(iteration);
    snapshots.link_best();
    observer.note(text("the best snapshot so far is that of iteration ", iteration, ", by ",
                       best->output, " = ", best->value));
  }

  // Whether it is time to end, because no test becomes better; the observer hears of it.
  bool stops_early() {
    if (!none_better_in(best, settings.early_stop_tests)) return false;
    observer.note(text("the training ends early, at iteration ", iteration, " of ",
                       schedule.last_iteration, ": of the last ", best->judged_since,
                       " tests none was better than that of iteration ", best->iteration, ", ",
                       best->output, " = ", best->value, " (early_stop_tests)"));
    observer.ended_early(progress_at(iteration));
    return true;
  }

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

Solver::Solver(const SolverSpec& spec, Device& device, SolverOptions options, Observer& observer)
    : state_(std::make_unique<State>(spec, device, std::move(options), observer)) {}

Solver::~Solver() = default;

double Solver::step() {
  State& s = *state_;
  s.launch([] { return false; });
  return s.result(true)->loss;
}

bool Solver::solve() {
  State& s = *state_;
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
  State& s = *state_;
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

int64_t Solver::test_batches(int net) const { return state_->tests.batches(net); }

std::string Solver::snapshot() {
  State& s = *state_;
  s.snapshots.write(s.take_snapshot());
  return s.snapshots.last;
}

bool Solver::tests_first() const { return state_->tests_first(); }
bool Solver::has_snapshots() const { return state_->snapshots.any(); }
void Solver::remove_snapshots() { state_->snapshots.remove_all(); }

int Solver::histories() const { return state_->step->history().blocks(); }
std::vector<float> Solver::history(const Parameter& parameter, int block) const {
  return state_->step->history().read(parameter, block);
}

Net& Solver::net() { return state_->net(); }
Parameters& Solver::parameters() { return state_->parameters; }
int64_t Solver::planned_bytes() const {
  const State& s = *state_;
  return s.parameters.bytes() + s.step->bytes() + s.nets->persistent_bytes() +
         s.tests.persistent_bytes() + s.arena.bytes();
}
int Solver::test_nets() const { return state_->tests.count(); }
int64_t Solver::iteration() const { return state_->iteration; }
int64_t Solver::last_iteration() const { return state_->schedule.last_iteration; }
int64_t Solver::iterations_per_epoch() const { return state_->schedule.iterations_per_epoch; }
int64_t Solver::test_interval() const { return state_->schedule.test_interval; }
double Solver::work(int64_t begin, int64_t end) const { return state_->nets->work(begin, end); }
double Solver::rate(int64_t iteration) const { return state_->learning_rate->at(iteration); }
std::string Solver::snapshot_prefix() const { return state_->settings.prefix; }

}  // namespace orepa
