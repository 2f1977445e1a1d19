// Products of float32 matrices on the CPU, by oneDNN.
#pragma once
#include "orepa/device.h"

namespace orepa::cpu {

// As Device::gemm. With AVX-512, a product A B^T of few rows has the same bits for any number of
// threads. Throws Error where oneDNN refuses.
void gemm(const Gemm& g);

}  // namespace orepa::cpu
