#include "solvers/learning_rate.h"

#include <algorithm>
#include <cmath>

#include "core/error_list.h"
#include "orepa/error.h"
#include "solvers/settings.h"

namespace orepa {
namespace {

struct Policy {
  std::string name;
  std::vector<std::string> needs;  // fields without which it would stay at some constant rate
};
const std::vector<Policy> kPolicies = {{"fixed", {}},
                                       {"step", {"gamma", "stepsize"}},
                                       {"exp", {"gamma"}},
                                       {"inv", {"gamma", "power"}},
                                       {"multistep", {"gamma", "stepvalue"}},
                                       {"poly", {"power"}},
                                       {"sigmoid", {"gamma", "stepsize"}},
                                       {"cosine", {}}};

const Policy& find_policy(const Options& solver, const std::string& name) {
  std::vector<std::string> known;
  std::string list;
  for (const Policy& policy : kPolicies) {
    if (policy.name == name) return policy;
    known.push_back(policy.name);
    list += (list.empty() ? "" : ", ") + policy.name;
  }
  fail(solver.where("lr_policy"), ": unknown lr_policy \"", name, "\"",
       did_you_mean(name, known, ";"), " there are ", list);
}

double not_negative(const Options& solver, const char* field) {
  const double value = solver.number(field);
  require(value >= 0, solver.where(field), ": ", field, " must not be negative, got ", value);
  return value;
}

}  // namespace

LearningRate::LearningRate(const Options& solver, int64_t iterations_per_epoch, int64_t max_iter)
    : policy_(solver.has("lr_policy") ? solver.string("lr_policy") : "fixed"),
      where_(solver.where("lr_policy")),
      max_iter_(max_iter) {
  ErrorList errors;
  errors.require(solver.has("base_lr"), solver.where(), ": base_lr is missing");
  errors.attempt([&] { base_ = not_negative(solver, "base_lr"); });
  errors.attempt([&] { gamma_ = solver.number("gamma"); });
  errors.attempt([&] { power_ = solver.number("power"); });
  errors.attempt([&] { minimum_ = not_negative(solver, "min_lr"); });
  errors.attempt([&] { warmup_start_ = not_negative(solver, "warmup_start_lr"); });
  errors.attempt([&] {
    step_ = length_of(solver, "stepsize", "stepsize_epoch", iterations_per_epoch);
    require(
        policy_ != "step" || step_ > 0 || !(solver.has("stepsize") || solver.has("stepsize_epoch")),
        solver.where("stepsize"), ": lr_policy \"step\" needs a positive stepsize");
  });
  errors.attempt(
      [&] { warmup_ = length_of(solver, "warmup_iter", "warmup_epoch", iterations_per_epoch); });
  errors.attempt([&] {
    steps_ = lengths_of(solver, "stepvalue", "stepvalue_epoch", iterations_per_epoch);
    require(std::is_sorted(steps_.begin(), steps_.end()), solver.where("stepvalue"),
            ": the entries of stepvalue must ascend");
  });
  errors.attempt([&] {
    for (const std::string& field : find_policy(solver, policy_).needs) {
      const bool length = field.starts_with("step");
      errors.require(solver.has(field) || (length && solver.has(field + "_epoch")), where_,
                     ": lr_policy \"", policy_, "\" needs ", field,
                     length ? " or " + field + "_epoch" : "");
    }
  });
  errors.raise();
}

double LearningRate::at(int64_t iteration) const {
  const double rate = warmed_up(iteration);
  require(std::isfinite(rate), where_, ": the rate of iteration ", iteration, " would be ", rate,
          "; look at gamma and power");
  return rate;
}

double LearningRate::warmed_up(int64_t iteration) const {
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
