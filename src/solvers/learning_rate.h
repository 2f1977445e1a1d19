// The learning rate as a pure function of the iteration.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "orepa/options.h"

namespace orepa {

// Caffe's policies: fixed, step, exp, inv, multistep, poly, sigmoid; and cosine,
// min_lr + (base_lr - min_lr) (1 + cos(pi iteration / max_iter)) / 2. The first warmup_iter
// iterations grow linearly from warmup_start_lr to what the policy says after them.
class LearningRate {
 public:
  // `solver` is a SolverParameter; epochs are converted by `iterations_per_epoch`, 0 where there
  // are none. Throws Error for an unknown lr_policy, and for one without the fields that it needs.
  LearningRate(const Options& solver, int64_t iterations_per_epoch, int64_t max_iter);
  // Throws Error where the rate is not finite.
  double at(int64_t iteration) const;

 private:
  double warmed_up(int64_t iteration) const;
  double policy(int64_t iteration) const;

  std::string policy_, where_;  // the policy, and where it stands
  double base_ = 0, gamma_ = 0, power_ = 0, minimum_ = 0, warmup_start_ = 0;
  int64_t step_ = 0, warmup_ = 0, max_iter_ = 0;
  std::vector<int64_t> steps_;
};

}  // namespace orepa
