// The numbers that a plan was handed, for functors: plans take const void*. Only src/backend
// includes this.
#pragma once
#include "orepa/numbers.h"

namespace orepa {

inline Numbers numbers_of(const void* data, DType type) {
  return Tensor{const_cast<void*>(data), {}, type};
}

}  // namespace orepa
