// Momentum: what the update rule remembers of every learned parameter, one number for each of its
// numbers.
#pragma once
#include <cstdint>
#include <map>
#include <vector>

#include "orepa/params.h"

namespace orepa {

class Momentum {
 public:
  // Zeros, for every parameter that learns; `parameters` must have their memory.
  explicit Momentum(const Parameters& parameters);

  // Device memory; null where nothing is remembered (buffers, frozen parameters).
  float* of(const Parameter& parameter) const;
  // In Caffe's order; zeros where nothing is remembered, and nothing happens there.
  std::vector<float> read(const Parameter& parameter) const;
  void write(const Parameter& parameter, const std::vector<float>& values);
  int64_t bytes() const { return memory_.bytes(); }

 private:
  Device& device_;
  DeviceMemory memory_;
  std::map<const Parameter*, float*> places_;
};

}  // namespace orepa
