// A copy of tensors that passes change, in device memory: to go back where a pass is abandoned or
// run again.
#pragma once
#include <cstdint>
#include <vector>

#include "orepa/device.h"
#include "orepa/tensor.h"

namespace orepa {

class TensorCopy {
 public:
  // The device and the memory of the tensors must outlive this.
  TensorCopy(Device& device, std::vector<Tensor> tensors);

  void save();
  void restore();
  int64_t bytes() const { return memory_.bytes(); }

 private:
  template <class Visit>
  void for_each(Visit visit);

  Device& device_;
  std::vector<Tensor> tensors_;
  DeviceMemory memory_;
};

}  // namespace orepa
