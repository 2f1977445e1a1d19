// Copies of tensors between orders in memory.
#pragma once
#include "layers/axis.h"

namespace orepa {

// Copies numbers from one tensor to another of the same logical order, whatever their shapes.
void copy_in_order(Device& device, const Tensor& from, const Tensor& to);

}  // namespace orepa
