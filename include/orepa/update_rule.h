// UpdateRule: how a gradient changes a parameter; one file a rule, src/solvers/rules/NAME.cpp with
// a functor for update_each() and OREPA_SOLVER(Type, "one line of help"). What a rule remembers of
// a weight are histories() numbers, and it has no options but RuleOptions.
#pragma once
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "orepa/options.h"
#include "orepa/parallel.h"

namespace orepa {

// What the solver's file says to the rules.
struct RuleOptions {
  float momentum = 0;
  float momentum2 = 0.999f;
  float rms_decay = 0.99f;
  float delta = 1e-8f;
  float trust_coefficient = 0.001f;
  bool rate_in_momentum = true;  // Caffe's convention, see momentum_convention in proto/orepa.proto
};

// What the host says of a step.
struct StepRate {
  double rate = 0;  // base_lr by its policy
  // 1 - momentum^t and 1 - momentum2^t of update t, counted from 1: what averages that began at 0
  // are divided by.
  double bias1 = 1, bias2 = 1;
  RuleOptions rule;
};

// What all parameters share in one step. Computed on the device, so that nobody waits for it.
struct StepScale : StepRate {
  float gradient = 1;   // what gradients are multiplied by: clipping and 1 / iter_size
  int32_t proceed = 1;  // 0: a number was not finite, and nothing is updated
};

// One parameter in one step. Pointers are to device memory.
struct Update {
  float* weight = nullptr;
  const float* gradient = nullptr;
  float* history = nullptr;  // what the rule remembers, histories() blocks of `count` numbers
  void* scratch = nullptr;   // of scratch_bytes()
  int64_t count = 0;
  const StepScale* step = nullptr;
  float lr_mult = 1;
  float l2 = 0, l1 = 0;  // decay: l2 w + l1 sign(w)
  bool decays = true;    // whether decay_mult is not 0

  OREPA_HD float& first(int64_t i) const { return history[i]; }
  OREPA_HD float& second(int64_t i) const { return history[count + i]; }
  OREPA_HD float rate(const StepScale& step) const {
    return static_cast<float>(step.rate * lr_mult);
  }
  OREPA_HD float scaled(int64_t i, const StepScale& step) const {
    return step.gradient * gradient[i];
  }
  OREPA_HD float decay(int64_t i) const {
    const float w = weight[i];
    const float sign = w == 0 ? 0.0f : copysignf(1.0f, w);
    return l2 * w + l1 * sign;
  }
  // The gradient that a rule follows whose decay is part of it.
  OREPA_HD float regularized(int64_t i, const StepScale& step) const {
    return scaled(i, step) + decay(i);
  }
};

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  // In snapshots all parameters' first ones stand before all second ones.
  virtual int histories() const { return 1; }
  // What apply() needs for a parameter of so many numbers, in bytes.
  virtual int64_t scratch_bytes(int64_t /*count*/) const { return 0; }
  // Throws Error, at the field, where the solver's file asks for what the rule cannot do.
  virtual void check(const Options& /*solver*/) const {}
  virtual void apply(const Device& device, const Update& update) = 0;
};

// For check(), of a rule that has none.
void require_no_momentum(const Options& solver, const std::string& type);

// rule(i, step) for every number of the parameter, where the step proceeds.
template <class Rule>
struct WhereItProceeds {
  Rule rule;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    if (step.proceed) rule(i, step);
  }
};
template <class Rule>
void update_each(const Device& device, const Update& update, const Rule& rule) {
  parallel_for(device, update.count, WhereItProceeds<Rule>{rule}, update.step);
}

struct SolverType {
  std::string name, help;
  std::function<std::unique_ptr<UpdateRule>()> make;
};
const std::vector<SolverType>& solver_types();  // alphabetical
// Throws Error that starts with `where` and names the nearest known type.
std::unique_ptr<UpdateRule> make_update_rule(const std::string& type, const std::string& where);

struct SolverRegistrar {
  SolverRegistrar(std::string name, std::string help,
                  std::function<std::unique_ptr<UpdateRule>()> make);
};

#define OREPA_SOLVER(type, help)                          \
  static const ::orepa::SolverRegistrar registrar_##type( \
      #type, help,                                        \
      []() -> std::unique_ptr<::orepa::UpdateRule> { return std::make_unique<type>(); })

}  // namespace orepa
