#include "solvers/history.h"

namespace orepa {

History::History(const Parameters& parameters, int blocks)
    : device_(parameters.device()), blocks_(blocks) {
  int64_t bytes = 0;
  for (const auto& parameter : parameters.all())
    if (parameter->learns()) bytes += blocks * parameter->value.bytes();
  memory_ = DeviceMemory(device_, bytes);
  device_.zero(memory_.data(), bytes);
  float* next = static_cast<float*>(memory_.data());
  for (const auto& parameter : parameters.all()) {
    if (!parameter->learns()) continue;
    places_[parameter.get()] = next;
    next += blocks * parameter->value.count();
  }
}

float* History::of(const Parameter& parameter) const {
  const auto found = places_.find(&parameter);
  return found == places_.end() ? nullptr : found->second;
}

Tensor History::block_of(const Parameter& parameter, int block) const {
  float* place = of(parameter);
  if (place == nullptr) return {};
  return {place + block * parameter.value.count(), parameter.value.shape};
}

std::vector<float> History::read(const Parameter& parameter, int block) const {
  if (const Tensor place = block_of(parameter, block)) return read_tensor(device_, place);
  return std::vector<float>(static_cast<size_t>(parameter.value.count()), 0.0f);
}

void History::write(const Parameter& parameter, int block, const std::vector<float>& values) {
  if (const Tensor place = block_of(parameter, block)) write_tensor(device_, place, values);
}

}  // namespace orepa
