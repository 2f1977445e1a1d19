#include "solvers/training_step.h"

#include <cmath>

#include "orepa/error.h"

namespace orepa {

TrainingStep::TrainingStep(const SolverSettings& settings, const std::string& rule_where, Net& net,
                           Parameters& parameters, const Momentum& momentum, Feed feed)
    : settings_(settings),
      net_(net),
      parameters_(parameters),
      momentum_(momentum),
      feed_(std::move(feed)),
      rule_(make_update_rule(settings.type, rule_where)),
      totals_(parameters, settings.iter_size, settings.clip) {
  if (settings.iter_size > 1) statistics_ = std::make_unique<StatisticsCopy>(parameters);
}

void TrainingStep::pass(int64_t index) {
  if (feed_) feed_(net_, index);
  net_.forward(index);
}

bool TrainingStep::run(int64_t iteration, double rate, const std::function<bool()>& stop) {
  totals_.begin(rate);
  parameters_.begin_step();
  net_.prepare();
  if (statistics_) statistics_->save();
  for (int64_t k = 0; k < settings_.iter_size; ++k) {
    if (k > 0 && stop()) {
      statistics_->restore();
      return false;
    }
    pass(iteration * settings_.iter_size + k);
    net_.add_loss(totals_.loss());
    net_.backward();
  }
  update();
  totals_.send(iteration);
  return true;
}

void TrainingStep::update() {
  // Of everything that backward passes write: dW of derived weights, not yet their factors'.
  for (const auto& parameter : parameters_.all())
    if (parameter->gradient && parameter->gradient_written) totals_.add(*parameter);
  const auto add_factors = [&](const std::vector<Parameter*>& learned) {
    bool any = false;
    for (const Parameter* parameter : learned)
      if (parameter->factor) totals_.add(*parameter), any = true;
    return any;
  };
  const bool clips = settings_.clip > 0;
  if (clips) net_.finish(add_factors);
  totals_.decide();
  net_.finish([&](const std::vector<Parameter*>& learned) {
    // The gradient of a factor exists only now. Its layer and those behind it are not updated
    // where it is not finite.
    if (!clips && add_factors(learned)) totals_.check(learned);
    for (const Parameter* parameter : learned) {
      Update update;
      update.weight = parameter->value.floats();
      update.gradient = parameter->gradient.floats();
      update.history = momentum_.of(*parameter);
      update.count = parameter->value.count();
      update.step = totals_.scale();
      update.lr_mult = parameter->lr_mult;
      update.momentum = settings_.momentum;
      update.rate_in_momentum = settings_.rate_in_momentum;
      (settings_.l1 ? update.l1 : update.l2) = settings_.weight_decay * parameter->decay_mult;
      rule_->apply(parameters_.device(), update);
    }
  });
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
  net_.prepare();
  for (int64_t k = 0; k < settings_.iter_size; ++k) {
    pass(iteration * settings_.iter_size + k);
    if (!std::isfinite(net_.loss())) return net_.find_non_finite();
  }
  return "";
}

}  // namespace orepa
