// UpdateRule: how a gradient changes a parameter; one file a rule, src/solvers/rules/NAME.cpp with
// a functor for update_each() and OREPA_SOLVER(Type, "one line of help"). A rule has one number of
// history a weight, and no options but those of Update.
#pragma once
#include <cmath>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "orepa/parallel.h"

namespace orepa {

// What all parameters share in one step. Computed on the device, so that nobody waits for it.
struct StepScale {
  double rate = 0;      // base_lr by its policy
  float gradient = 1;   // what gradients are multiplied by: clipping and 1 / iter_size
  int32_t proceed = 1;  // 0: a number was not finite, and nothing is updated
};

// One parameter in one step. Pointers are to device memory.
struct Update {
  float* weight = nullptr;
  const float* gradient = nullptr;
  float* history = nullptr;  // what the rule remembers; as many numbers
  int64_t count = 0;
  const StepScale* step = nullptr;
  float lr_mult = 1;
  float momentum = 0;            // 0 where the solver's file has none
  float l2 = 0, l1 = 0;          // decay: g += l2 w + l1 sign(w)
  bool rate_in_momentum = true;  // Caffe's convention, see momentum_convention in proto/orepa.proto

  OREPA_HD float rate(const StepScale& step) const {
    return static_cast<float>(step.rate * lr_mult);
  }
  // The gradient that the rule follows.
  OREPA_HD float regularized(int64_t i, const StepScale& step) const {
    const float w = weight[i];
    const float sign = w == 0 ? 0.0f : copysignf(1.0f, w);
    return step.gradient * gradient[i] + l2 * w + l1 * sign;
  }
};

class UpdateRule {
 public:
  virtual ~UpdateRule() = default;
  virtual void apply(const Device& device, const Update& update) = 0;
};

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
