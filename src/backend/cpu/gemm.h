// Products of float32 matrices on the CPU, by oneDNN.
#pragma once
#include "orepa/device.h"

namespace orepa::cpu {

// As Device::gemm. The bits do not depend on the number of threads where A has few rows; throws
// Error where oneDNN refuses.
void gemm(const Gemm& g);

}  // namespace orepa::cpu
