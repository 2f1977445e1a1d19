#include "solvers/momentum.h"

namespace orepa {

Momentum::Momentum(const Parameters& parameters) : device_(parameters.device()) {
  int64_t bytes = 0;
  for (const auto& parameter : parameters.all())
    if (parameter->learns()) bytes += parameter->value.bytes();
  memory_ = DeviceMemory(device_, bytes);
  device_.zero(memory_.data(), bytes);
  float* next = static_cast<float*>(memory_.data());
  for (const auto& parameter : parameters.all()) {
    if (!parameter->learns()) continue;
    places_[parameter.get()] = next;
    next += parameter->value.count();
  }
}

float* Momentum::of(const Parameter& parameter) const {
  const auto found = places_.find(&parameter);
  return found == places_.end() ? nullptr : found->second;
}

std::vector<float> Momentum::read(const Parameter& parameter) const {
  float* place = of(parameter);
  if (place == nullptr)
    return std::vector<float>(static_cast<size_t>(parameter.value.count()), 0.0f);
  return read_tensor(device_, {place, parameter.value.shape});
}

void Momentum::write(const Parameter& parameter, const std::vector<float>& values) {
  if (float* place = of(parameter)) write_tensor(device_, {place, parameter.value.shape}, values);
}

}  // namespace orepa
