#include "solvers/averages.h"

#include <algorithm>

#include "orepa/parallel.h"

namespace orepa {
namespace {

struct Approach {
  float* average;
  const float *value, *weight;
  OREPA_HD void operator()(int64_t i, const StepScale& step) const {
    if (step.proceed) average[i] += *weight * (value[i] - average[i]);
  }
};

struct Exchange {
  float *a, *b;
  OREPA_HD void operator()(int64_t i) const {
    const float kept = a[i];
    a[i] = b[i];
    b[i] = kept;
  }
};

bool is_averaged(const Parameter& parameter) {
  return parameter.learns() || parameter.kind == Parameter::Kind::kBuffer;
}

}  // namespace

Averages::Averages(Parameters& parameters, double decay)
    : parameters_(parameters), decay_(decay), weight_(parameters.device(), sizeof(float)) {
  int64_t bytes = aligned(sizeof(float));
  for (const auto& parameter : parameters.all())
    if (is_averaged(*parameter)) bytes += aligned(parameter->value.bytes());
  memory_ = DeviceMemory(parameters.device(), bytes);
  char* next = static_cast<char*>(memory_.data()) + aligned(sizeof(float));
  for (const auto& parameter : parameters.all()) {
    if (!is_averaged(*parameter)) continue;
    averages_.push_back({parameter->value, reinterpret_cast<float*>(next)});
    next += aligned(parameter->value.bytes());
  }
}

void Averages::start() {
  for (const Average& each : averages_)
    parameters_.device().copy(each.average, each.value.data, each.value.bytes());
  started_ = true;
}

void Averages::begin(int64_t update) {
  if (!started_) start();
  const auto t = static_cast<double>(update);
  *weight_.fill_floats() = static_cast<float>(1 - std::min(decay_, (1 + t) / (10 + t)));
  weight_.send(memory_.data());
}

void Averages::add(const StepScale* step) {
  const Device& device = parameters_.device();
  const auto* weight = static_cast<const float*>(memory_.data());
  parameters_.device().each_independent(static_cast<int64_t>(averages_.size()), [&](int64_t i) {
    const Average& each = averages_[static_cast<size_t>(i)];
    parallel_for(device, each.value.count(), Approach{each.average, each.value.floats(), weight},
                 step);
  });
}

void Averages::in_place(const std::function<void()>& call) {
  if (!started_) return call();
  exchange();
  try {
    call();
  } catch (...) {
    exchange();
    throw;
  }
  exchange();
}

void Averages::exchange() {
  const Device& device = parameters_.device();
  parameters_.device().each_independent(static_cast<int64_t>(averages_.size()), [&](int64_t i) {
    const Average& each = averages_[static_cast<size_t>(i)];
    parallel_for(device, each.value.count(), Exchange{each.value.floats(), each.average});
  });
  parameters_.touch();
}

}  // namespace orepa
