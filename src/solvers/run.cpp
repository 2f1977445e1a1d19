#include "solvers/run.h"

#include <algorithm>
#include <set>

#include "solvers/statistics.h"

namespace orepa {
namespace {

SnapshotState read_state(const std::string& resumed) {
  return resumed.empty() ? SnapshotState{} : read_snapshot_state(resumed);
}

}  // namespace

Solver::Run::Run(const SolverSpec& spec, Device& device, SolverOptions given, Observer& observer)
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

int64_t Solver::Run::iterations_per_epoch() const {
  const int64_t images = images_per_iteration();
  return net().samples() > 0 ? (net().samples() + images - 1) / images : 0;
}

int64_t Solver::Run::images_per_iteration() const {
  const int64_t whole = net().rows().whole;
  return settings.iter_size * (whole > 0 ? whole : net().batch_size());
}

void Solver::Run::restore() {
  restore_snapshot(resumed, parameters, step->history(), step->averages());
  iteration = first_iteration = shared_at = state.iteration;
  if (step->averages() != nullptr && !state.has_averages)
    observer.note(text(resumed, " holds no averages: they begin with its weights (ema_decay)"));
  if (step->averages() == nullptr && state.has_averages)
    observer.note(text(resumed, " holds averages, which end here: there is no ema_decay"));
  snapshots.resume(resumed, iteration);
  best = state.best;
  for (const double loss : state.recent_losses) recent_losses.add(loss);
  // Of this net they come to those of other sizes.
  const std::set<std::string> without = write_states(device, state.states, net());
  if (!without.empty()) {
    std::string layers;
    for (const std::string& layer : without)
      layers += text(layers.empty() ? "" : ", ", "\"", layer, "\"");
    observer.note(text(resumed, " holds no states of ", without.size() == 1 ? "layer " : "layers ",
                       layers, " to hand from pass to pass: they begin with zeros",
                       state.states.empty() ? ", as in Caffe" : ""));
  }
  if (best) snapshots.set_best(best->iteration);
  observer.note(text("resumed from ", resumed, " at iteration ", iteration));
  if (!state.device.empty() && state.device != place())
    observer.note(text("the snapshot was written on ", state.device, ", this is ", place(),
                       ": the run goes on, but not with the same bits as an uninterrupted one"));
}

std::string Solver::Run::place() const {
  return text(device.description(), net().precision() == DType::kBFloat16 ? ", BF16" : "",
              options.ranks == nullptr ? "" : text(", ", options.ranks->size(), " processes"));
}

Request Solver::Run::poll() {
  pending = std::max(pending, observer.request());
  if (options.ranks == nullptr) return pending;
  auto strongest = static_cast<int64_t>(pending);
  options.ranks->maximum(&strongest, 1);  // so that all do it at the same moment
  return pending = static_cast<Request>(strongest);
}

std::string Solver::Run::untouched() const {
  return snapshots.last.empty() ? "" : "; the last snapshot, " + snapshots.last + ", is untouched";
}

bool Solver::Run::launch(const std::function<bool()>& stop) {
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

Net::Watch Solver::Run::watch() {
  const int64_t number = iteration + 1;
  const bool shown = settings.display == 0 || number % settings.display == 0;
  if (!settings.debug_info || !shown) return {};
  return [=, this](const Measure& measure) { observer.measured(number, measure); };
}

void Solver::Run::change_image_size() {
  // Of iterations with the net that is there, which is asked where one of them failed.
  report(true);
  Net& next = nets->of(iteration);
  step->use(next);
  observer.note(text("from iteration ", iteration + 1, " on the images have ", next.image_size(),
                     " pixels along the shorter side (image_size)"));
}

void Solver::Run::in_iteration(int64_t number, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    // Before anything that is being added up is freed.
    if (options.ranks != nullptr) options.ranks->fail(error.what());
    failure = text("iteration ", number, " failed, so that there is nothing to go on from");
    fail("iteration ", number, ": ", error.what(), untouched());
  }
}

std::optional<TrainingStep::Result> Solver::Run::result(bool wait) {
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
  failure = result->updated_partly
                ? text("iteration ", iteration, " failed in the middle of its update: layers may ",
                       "be a step ahead of others, which is no state to save or to go on from")
                : text("iteration ", iteration, " failed, so that there is nothing to go on from");
  fail("iteration ", iteration, ": ", result->failure, untouched());
}

Observer::Progress Solver::Run::progress_at(int64_t iterations) const {
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

void Solver::Run::report(bool all) {
  const auto waits = [&] { return all || step->pending() > 1; };
  while (waits() || options.ranks == nullptr) {
    const auto result = this->result(waits());
    if (!result) return;
    observer.progress(progress_at(result->iteration + 1));
  }
}

void Solver::Run::share_statistics() {
  if (options.ranks == nullptr || iteration == shared_at) return;
  average_statistics(*options.ranks, parameters, step->averages());
  shared_at = iteration;
}

Snapshot Solver::Run::take_snapshot() {
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

bool Solver::Run::test_due() const {
  const int64_t interval = schedule.test_interval;
  return interval > 0 && (iteration % interval == 0 || iteration >= schedule.last_iteration);
}

bool Solver::Run::tests_first() const {
  if (iteration == 0) return schedule.test_interval > 0 && settings.test_initialization;
  return iteration == first_iteration && test_due();
}

void Solver::Run::judge(const Evaluation& evaluation) {
  if (!snapshots.has(iteration) || !orepa::judge(best, iteration, tests.spec(0), evaluation))
    return;
  snapshots.set_best(iteration);
  snapshots.link_best();
  observer.note(text("the best snapshot so far is that of iteration ", iteration, ", by ",
                     best->output, " = ", best->value));
}

bool Solver::Run::stops_early() {
  if (!none_better_in(best, settings.early_stop_tests)) return false;
  observer.note(text("the training ends early, at iteration ", iteration, " of ",
                     schedule.last_iteration, ": of the last ", best->judged_since,
                     " tests none was better than that of iteration ", best->iteration, ", ",
                     best->output, " = ", best->value, " (early_stop_tests)"));
  observer.ended_early(progress_at(iteration));
  return true;
}

}  // namespace orepa
