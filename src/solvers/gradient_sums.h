// How large a gradient is, and whether it is finite.
#pragma once
#include "orepa/params.h"

namespace orepa {

class GradientSums {
 public:
  // For the gradients of these parameters, or smaller tensors.
  explicit GradientSums(const Parameters& parameters);
  // The sum of the squares, in double, which squares of floats do not overflow: it is finite
  // exactly where all numbers are. Waits for the device.
  double squares(const Tensor& gradient);

 private:
  Device& device_;
  DeviceMemory partial_;
};

}  // namespace orepa
