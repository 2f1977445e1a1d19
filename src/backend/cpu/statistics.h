// Mean and biased variance of every channel, for batch normalisation in training.
#pragma once
#include "orepa/tensor.h"

namespace orepa::cpu {

// x as stored (rank 4 with axis 1 innermost, else row-major); mean and variance hold shape[1]
// numbers each. Sums of more than 64 numbers are in double: oneDNN adds all of a channel in single
// precision, whose error of 1e-5 in the middle of a deep net turns a ReLU now and then. The same
// bits with any number of threads.
void channel_statistics(const Shape& shape, DType type, const void* x, float* mean,
                        float* variance);

}  // namespace orepa::cpu
