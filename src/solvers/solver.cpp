#include "orepa/solver.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <optional>

#include "orepa/update_rule.h"
#include "solvers/gradient_sums.h"
#include "solvers/learning_rate.h"
#include "solvers/momentum.h"
#include "solvers/settings.h"
#include "solvers/snapshots.h"
#include "solvers/statistics_copy.h"

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
        snapshots(settings, observer),
        resumed(options.snapshot == "auto" ? snapshots.newest() : options.snapshot),
        state(read_state(resumed)),
        net_spec(spec.net()),
        parameters(device, state.has_seed ? state.seed : settings.seed, true, settings.rules),
        arena(device) {
    NetOptions net_options;
    net_options.phase = Phase::kTrain;
    net_options.level = options.level;
    net_options.stages = options.stages;
    net_options.weights_change_every_pass = settings.iter_size == 1;
    net = std::make_unique<Net>(net_spec, parameters, arena, net_options);
    schedule = Schedule(spec.options(), iterations_per_epoch());
    if (schedule.test_interval > 0)
      for (const NetSpec& test_net : spec.test_nets())
        evaluators.push_back(std::make_unique<Evaluator>(test_net, parameters, arena, net_options));
    learning_rate = std::make_unique<LearningRate>(spec.options(), schedule.iterations_per_epoch,
                                                   schedule.last_iteration);
    rule = make_update_rule(
        settings.type, spec.options().where(spec.options().has("type") ? "type" : "solver_type"));
    history = std::make_unique<Momentum>(parameters);
    sums = std::make_unique<GradientSums>(parameters);
    if (settings.iter_size > 1) statistics = std::make_unique<StatisticsCopy>(parameters);
    if (!resumed.empty()) restore();
  }

  // 0 where the net has no source of samples.
  int64_t iterations_per_epoch() const {
    const int64_t images = net->batch_size() * settings.iter_size;
    return net->samples() > 0 ? (net->samples() + images - 1) / images : 0;
  }

  void restore() {
    restore_snapshot(resumed, parameters, *history);
    snapshots.last = resumed;
    iteration = first_iteration = state.iteration;
    observer.note(text("resumed from ", resumed, " at iteration ", iteration));
    if (!state.device.empty() && state.device != device.description())
      observer.note(text("the snapshot was written on ", state.device, ", this is ",
                         device.description(),
                         ": the run goes on, but not with the same bits as an uninterrupted one"));
  }

  // The strongest request that has not been answered yet.
  Request poll() { return pending = std::max(pending, observer.request()); }

  std::string untouched() const {
    return snapshots.last.empty() ? ""
                                  : "; the last snapshot, " + snapshots.last + ", is untouched";
  }

  // The passes of an iteration; nothing where they were abandoned because of `stop`, which is asked
  // between them: then everything is as before.
  std::optional<double> forward_backward(const std::function<bool()>& stop) {
    double total = 0;
    if (statistics) statistics->save();
    for (int64_t k = 0; k < settings.iter_size; ++k) {
      if (k > 0 && stop()) {
        statistics->restore();
        return std::nullopt;
      }
      const int64_t pass = iteration * settings.iter_size + k;
      if (options.feed) options.feed(*net, pass);
      net->forward(pass);
      const double loss = net->loss();
      if (!std::isfinite(loss)) {
        const std::string where = net->find_non_finite();
        fail("iteration ", iteration, ": the loss is ", loss,
             where.empty() ? "" : "; the first number that is not finite: " + where,
             "; lower base_lr, or look at the data", untouched());
      }
      total += loss;
      net->backward();
    }
    return total / static_cast<double>(settings.iter_size);
  }

  // The sum of its squares. Throws Error where they are not finite.
  double squares_of_gradient(const Parameter& parameter) {
    const double squares = sums->squares(parameter.gradient);
    if (!std::isfinite(squares))
      fail("iteration ", iteration, ": the gradient of ", parameter.path(),
           " is not finite; lower base_lr or set clip_gradients", untouched());
    return squares;
  }

  // Of everything that backward passes write: dW of derived weights, not yet their factors'.
  void check_gradients() {
    for (const auto& parameter : parameters.all())
      if (parameter->gradient && parameter->gradient_written) squares_of_gradient(*parameter);
  }

  // What all gradients are multiplied by before decay: clipping by their global norm, and the mean
  // over passes.
  float gradient_scale() {
    double scale = 1;
    if (settings.clip > 0) {
      double squares = 0;
      net->finish([&](const std::vector<Parameter*>& learned) {
        for (const Parameter* parameter : learned)
          if (parameter->gradient) squares += squares_of_gradient(*parameter);
      });
      const double norm = std::sqrt(squares);
      if (norm > settings.clip) scale = settings.clip / norm;
    }
    return static_cast<float>(scale / static_cast<double>(settings.iter_size));
  }

  void update() {
    const double rate = learning_rate->at(iteration);
    const float scale = gradient_scale();
    half_updated = true;
    net->finish([&](const std::vector<Parameter*>& learned) {
      // The gradient of a factor exists only now. Its layer and those behind it are not updated
      // where it is not finite, and what this leaves is not a state to go on from.
      for (const Parameter* parameter : learned)
        if (parameter->factor && parameter->gradient) squares_of_gradient(*parameter);
      for (Parameter* parameter : learned) {
        if (!parameter->gradient) continue;
        Update update;
        update.weight = parameter->value.data;
        update.gradient = parameter->gradient.data;
        update.history = history->of(*parameter);
        update.count = parameter->value.count();
        update.gradient_scale = scale;
        update.rate = static_cast<float>(rate * parameter->lr_mult);
        update.momentum = settings.momentum;
        update.rate_in_momentum = settings.rate_in_momentum;
        (settings.l1 ? update.l1 : update.l2) = settings.weight_decay * parameter->decay_mult;
        rule->apply(device, update);
      }
    });
    half_updated = false;
  }

  void require_whole() const {
    require(!half_updated, "iteration ", iteration, " failed in the middle of its update: some ",
            "layers are a step ahead of others, which is no state to save or to go on from",
            untouched());
  }

  // One iteration, unless it is abandoned.
  std::optional<double> iterate(const std::function<bool()>& stop) {
    require_whole();
    parameters.begin_step();
    net->prepare();
    const std::optional<double> loss = forward_backward(stop);
    if (!loss) return loss;
    check_gradients();
    update();
    ++iteration;
    return loss;
  }

  Snapshot take_snapshot() const {
    require_whole();
    SnapshotState taken;
    taken.iteration = iteration;
    taken.seed = parameters.seed();
    taken.device = device.description();
    try {
      return {taken, net_spec, parameters, *history, settings.hdf5};
    } catch (const Error& error) {
      fail("iteration ", iteration, ": there is no snapshot of it: ", error.what(), untouched());
    }
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
  std::unique_ptr<Net> net;
  std::vector<std::unique_ptr<Evaluator>> evaluators;  // by test net
  std::unique_ptr<LearningRate> learning_rate;
  std::unique_ptr<UpdateRule> rule;
  std::unique_ptr<Momentum> history;
  std::unique_ptr<GradientSums> sums;
  std::unique_ptr<StatisticsCopy> statistics;  // where an iteration has several passes
  int64_t iteration = 0, first_iteration = 0;
  bool half_updated = false;  // an update failed, or is being made
  Request pending = Request::kNone;
  std::deque<double> recent_losses;
};

Solver::Solver(const SolverSpec& spec, Device& device, SolverOptions options, Observer& observer)
    : state_(std::make_unique<State>(spec, device, std::move(options), observer)) {}

Solver::~Solver() = default;

double Solver::step() {
  return *state_->iterate([] { return false; });
}

bool Solver::solve() {
  State& s = *state_;
  const std::vector<LockFile> locks = s.snapshots.locks();
  const auto stop = [&] { return s.poll() == Request::kStop; };
  const auto test_now = [&] {
    try {
      for (int net = 0; net < test_nets(); ++net) {
        const Evaluation evaluation = test(net);
        if (!evaluation.complete) return;
        s.observer.tested(s.iteration, net, evaluation);
      }
    } catch (const Error&) {
      // What was trained is sound, whatever is wrong with the test.
      const bool trained = s.iteration > s.first_iteration;
      if (trained && s.iteration < s.schedule.last_iteration) snapshot();
      throw;
    }
  };
  if (s.iteration == 0 && s.settings.test_initialization) test_now();
  if (s.iteration >= s.schedule.last_iteration && s.settings.snapshot_after_train) snapshot();
  while (s.iteration < s.schedule.last_iteration) {
    const Request request = s.poll();
    s.pending = Request::kNone;
    if (request == Request::kStop) {
      snapshot();
      return false;
    }
    if (request == Request::kSnapshot || s.snapshots.retry(s.iteration))
      s.snapshots.try_to_write(s.take_snapshot(), s.iteration);

    const std::optional<double> loss = s.iterate(stop);
    if (!loss) continue;  // to be asked again
    s.recent_losses.push_back(*loss);
    if (static_cast<int64_t>(s.recent_losses.size()) > s.settings.average_loss)
      s.recent_losses.pop_front();
    Observer::Progress progress;
    progress.iteration = s.iteration;
    progress.last_iteration = s.schedule.last_iteration;
    if (s.schedule.iterations_per_epoch > 0)
      progress.epoch =
          static_cast<double>(s.iteration) / static_cast<double>(s.schedule.iterations_per_epoch);
    for (const double loss : s.recent_losses)
      progress.loss += loss / static_cast<double>(s.recent_losses.size());
    progress.rate = s.learning_rate->at(s.iteration - 1);
    progress.images =
        (s.iteration - s.first_iteration) * s.settings.iter_size * s.net->batch_size();
    s.observer.progress(progress);

    const bool last = s.iteration == s.schedule.last_iteration;
    const bool due =
        s.schedule.snapshot_interval > 0 && s.iteration % s.schedule.snapshot_interval == 0;
    if (last && (due || s.settings.snapshot_after_train))
      snapshot();
    else if (due)
      s.snapshots.try_to_write(s.take_snapshot(), s.iteration);
    if (last || (s.schedule.test_interval > 0 && s.iteration % s.schedule.test_interval == 0))
      test_now();
  }
  return true;
}

Evaluation Solver::test(int net) {
  State& s = *state_;
  require(net >= 0 && net < test_nets(), s.spec.name(), ": there is no test net ", net,
          s.schedule.test_interval == 0 ? "; set test_interval" : "");
  const std::vector<int64_t>& batches = s.settings.test_batches;
  return s.evaluators[net]->run(
      batches.empty() ? 0 : batches[net], [&] { return s.poll() == Request::kStop; },
      s.options.feed);
}

std::string Solver::snapshot() {
  State& s = *state_;
  s.snapshots.write(s.take_snapshot());
  return s.snapshots.last;
}

std::vector<float> Solver::history(const Parameter& parameter) const {
  return state_->history->read(parameter);
}

Net& Solver::net() { return *state_->net; }
Parameters& Solver::parameters() { return state_->parameters; }
int64_t Solver::planned_bytes() const {
  const State& s = *state_;
  const int64_t statistics = s.statistics ? s.statistics->bytes() : 0;
  int64_t test = 0;
  for (const auto& evaluator : s.evaluators) test += evaluator->persistent_bytes();
  return s.parameters.bytes() + s.history->bytes() + statistics + s.net->persistent_bytes() + test +
         s.arena.bytes();
}
int Solver::test_nets() const { return static_cast<int>(state_->evaluators.size()); }
int64_t Solver::iteration() const { return state_->iteration; }
int64_t Solver::last_iteration() const { return state_->schedule.last_iteration; }
double Solver::rate(int64_t iteration) const { return state_->learning_rate->at(iteration); }
std::string Solver::snapshot_prefix() const { return state_->settings.prefix; }

}  // namespace orepa
