// Sums over all numbers of a gradient: is it finite, and how large is it. They wait for the device.
#pragma once
#include "orepa/params.h"

namespace orepa {

class GradientSums {
 public:
  // For the gradients of these parameters, or smaller tensors.
  explicit GradientSums(const Parameters& parameters);
  bool all_finite(const Tensor& gradient);
  double squares(const Tensor& gradient);

 private:
  template <class F>
  double sum(const Tensor& gradient);

  Device& device_;
  DeviceMemory partial_;
};

}  // namespace orepa
