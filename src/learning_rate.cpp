#include "learning_rate.h"

#include <cmath>

#include "orepa/error.h"
#include "solvers/settings.h"

namespace orepa {
namespace {

const std::vector<std::string> kPolicies = {"fixed",     "step", "exp",     "inv",
                                            "multistep", "poly", "sigmoid", "cosine"};

}  // namespace

LearningRate::LearningRate(const Options& solver, int64_t iterations_per_epoch, int64_t max_iter)
    : policy_(solver.has("lr_policy") ? solver.string("lr_policy") : "fixed"),
      base_(solver.number("base_lr")),
      gamma_(solver.number("gamma")),
      power_(solver.number("power")),
      minimum_(solver.number("min_lr")),
      warmup_start_(solver.number("warmup_start_lr")),
      step_(length_of(solver, "stepsize", "stepsize_epoch", iterations_per_epoch)),
      warmup_(length_of(solver, "warmup_iter", "warmup_epoch", iterations_per_epoch)),
      max_iter_(max_iter),
      steps_(lengths_of(solver, "stepvalue", "stepvalue_epoch", iterations_per_epoch)) {
  require(solver.has("base_lr"), solver.where(), ": base_lr is missing");
  require(base_ >= 0, solver.where("base_lr"), ": base_lr must not be negative, got ", base_);
  bool known = false;
  for (const std::string& policy : kPolicies) known = known || policy == policy_;
  require(known, solver.where("lr_policy"), ": unknown lr_policy \"", policy_,
          "\"; did you mean \"", nearest_name(policy_, kPolicies),
          "\"? There are fixed, step, exp, inv, multistep, poly, sigmoid and cosine.");
  require(policy_ != "step" || step_ > 0, solver.where("stepsize"),
          ": lr_policy \"step\" needs a positive stepsize or stepsize_epoch");
}

double LearningRate::at(int64_t iteration) const {
  if (iteration >= warmup_) return policy(iteration);
  const double share = static_cast<double>(iteration + 1) / static_cast<double>(warmup_);
  return warmup_start_ + (policy(warmup_) - warmup_start_) * share;
}

double LearningRate::policy(int64_t iteration) const {
  const double it = static_cast<double>(iteration);
  const double done = max_iter_ > 0 ? std::min(1.0, it / static_cast<double>(max_iter_)) : 0;
  if (policy_ == "step") return base_ * std::pow(gamma_, static_cast<double>(iteration / step_));
  if (policy_ == "exp") return base_ * std::pow(gamma_, it);
  if (policy_ == "inv") return base_ * std::pow(1 + gamma_ * it, -power_);
  if (policy_ == "multistep") {
    int passed = 0;
    for (const int64_t step : steps_) passed += iteration >= step;
    return base_ * std::pow(gamma_, passed);
  }
  if (policy_ == "poly") return base_ * std::pow(1 - done, power_);
  if (policy_ == "sigmoid")
    return base_ / (1 + std::exp(-gamma_ * (it - static_cast<double>(step_))));
  if (policy_ == "cosine")
    return minimum_ + (base_ - minimum_) * (1 + std::cos(3.14159265358979323846 * done)) / 2;
  return base_;
}

}  // namespace orepa
