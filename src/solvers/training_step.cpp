#include "solvers/training_step.h"

#include <cmath>

#include "engine/watch.h"
#include "orepa/error.h"
#include "solvers/statistics.h"

namespace orepa {

TrainingStep::TrainingStep(const SolverSettings& settings, Net& net, Parameters& parameters,
                           Feed feed, Communicator* ranks)
    : settings_(settings),
      net_(&net),
      parameters_(parameters),
      feed_(std::move(feed)),
      ranks_(ranks),
      rule_(make_update_rule(settings.type, "solver")),
      history_(parameters, rule_->histories()),
      totals_(parameters, settings.iter_size, settings.clip) {
  int64_t scratch = 0;
  for (const auto& parameter : parameters.all()) {
    if (!parameter->learns()) continue;
    scratch_places_[parameter.get()] = scratch;
    scratch += aligned(rule_->scratch_bytes(parameter->value.count()));
  }
  scratch_ = DeviceMemory(parameters.device(), scratch);
  if (settings.ema_decay > 0)
    averages_ = std::make_unique<Averages>(parameters, settings.ema_decay);
  if (ranks != nullptr)
    sums_ = std::make_unique<GradientSums>(*ranks, parameters, settings.narrow_sums);
  if (settings.iter_size > 1)
    statistics_ = std::make_unique<TensorCopy>(parameters.device(), running_statistics(parameters));
  copy_states();
}

void TrainingStep::use(Net& net) {
  net_ = &net;
  recorded_ = {};
  copy_states();
}

void TrainingStep::copy_states() {
  states_.reset();
  if (net_->states().empty()) return;
  std::vector<Tensor> tensors;
  for (const Net::State& state : net_->states()) tensors.push_back(state.value);
  Device& device = parameters_.device();
  states_.emplace(std::array{TensorCopy(device, tensors), TensorCopy(device, tensors)});
}

void TrainingStep::load(int64_t index) {
  if (feed_) feed_(*net_, index);
  net_->load(index);
}

bool TrainingStep::run(int64_t iteration, double rate, const std::function<bool()>& stop) {
  const auto updates = static_cast<double>(iteration + 1);
  const RuleOptions& rule = settings_.rule;
  totals_.send_rate({rate, 1 - std::pow(double{rule.momentum}, updates),
                     1 - std::pow(double{rule.momentum2}, updates), rule});
  net_->watch(watch_);
  if (averages_) averages_->begin(iteration);
  parameters_.begin_step();
  if (states_) states_->at(iteration % 2).save();
  issue(kPrepare, [&] {
    totals_.begin();
    net_->prepare();
    if (statistics_) statistics_->save();
  });
  const Net::Written sum = [&](const std::vector<Parameter*>& written) { sums_->add(written); };
  for (int64_t k = 0; k < settings_.iter_size; ++k) {
    if (k > 0 && stop()) {
      net_->watch({});
      statistics_->restore();
      if (states_) states_->at(iteration % 2).restore();
      return false;
    }
    load(iteration * settings_.iter_size + k);
    issue(k == 0 ? kFirstPass : kLaterPass, [&] {
      net_->compute();
      net_->add_loss(totals_.loss());
      const bool last = k == settings_.iter_size - 1;
      net_->backward(last && sums_ ? sum : nullptr);
    });
  }
  issue(kUpdate, [&] { update(); });
  net_->watch({});
  totals_.send(iteration);
  return true;
}

void TrainingStep::issue(Part part, const std::function<void()>& work) {
  if (!settings_.cuda_graph || net_->profiles() || watch_) return work();
  RecordedPart& recorded = recorded_[part];
  if (recorded.arena != net_->arena_memory()) {
    // The first time allocates what is missing, and plans load what they need.
    recorded = {net_->arena_memory(), nullptr};
    return work();
  }
  Device& device = parameters_.device();
  if (recorded.recording == nullptr)
    recorded.recording = device.record(work);
  else
    device.replay(*recorded.recording, work);
}

void TrainingStep::update() {
  if (sums_) sums_->finish(totals_.loss());
  // Of everything that backward passes write: dW of derived weights, not yet their factors'.
  std::vector<const Parameter*> written;
  for (const auto& parameter : parameters_.all())
    if (parameter->gradient && parameter->gradient_written) written.push_back(parameter.get());
  totals_.add(written);
  const auto add_factors = [&](const std::vector<Parameter*>& learned) {
    std::vector<const Parameter*> factors;
    for (const Parameter* parameter : learned)
      if (parameter->factor) factors.push_back(parameter);
    totals_.add(factors);
    return !factors.empty();
  };
  const bool clips = settings_.clip > 0;
  if (clips) net_->finish(add_factors);
  totals_.decide();
  net_->finish([&](const std::vector<Parameter*>& learned) {
    // The gradient of a factor exists only now. Its layer, those that are updated with it and those
    // behind are not updated where it is not finite.
    if (!clips && add_factors(learned)) totals_.check(learned);
    if (watch_)
      for (const Parameter* parameter : learned) watch_(measure(parameters_.device(), *parameter));
    const auto count = static_cast<int64_t>(learned.size());
    parameters_.device().each_independent(count, [&](int64_t i) {
      const Parameter* parameter = learned[i];
      Update update;
      update.weight = parameter->value.floats();
      update.gradient = parameter->gradient.floats();
      update.history = history_.of(*parameter);
      update.scratch = static_cast<char*>(scratch_.data()) + scratch_places_.at(parameter);
      update.count = parameter->value.count();
      update.step = totals_.scale();
      update.lr_mult = parameter->lr_mult;
      update.decays = parameter->decay_mult != 0;
      (settings_.l1 ? update.l1 : update.l2) = settings_.weight_decay * parameter->decay_mult;
      rule_->apply(parameters_.device(), update);
    });
  });
  if (averages_) averages_->add(totals_.scale());
}

std::optional<TrainingStep::Result> TrainingStep::result(bool wait) {
  const std::optional<StepTotals::Step> step = totals_.read(wait);
  if (!step) return std::nullopt;
  Result result;
  result.iteration = step->iteration;
  result.loss = step->loss;
  if (!std::isfinite(step->loss)) {
    const std::string where = find_non_finite(step->iteration);
    result.failure = text("the loss is ", step->loss,
                          where.empty() ? "" : "; the first number that is not finite: " + where,
                          "; lower base_lr, or look at the data");
  } else if (step->not_finite) {
    result.failure = text("the gradient of ", step->not_finite->path(),
                          " is not finite; lower base_lr or set clip_gradients");
    result.updated_partly = step->not_finite->factor && settings_.clip <= 0;
  }
  return result;
}

// Parameters are still those of that iteration, so its passes give the same numbers again.
std::string TrainingStep::find_non_finite(int64_t iteration) {
  net_->prepare();
  if (states_) states_->at(iteration % 2).restore();
  for (int64_t k = 0; k < settings_.iter_size; ++k) {
    load(iteration * settings_.iter_size + k);
    net_->compute();
    int64_t found = std::isfinite(net_->loss()) ? 0 : 1;
    if (ranks_ != nullptr) ranks_->maximum(&found, 1);  // so that all look at the same pass
    if (found) return net_->find_non_finite();
  }
  return "";
}

}  // namespace orepa
