// Runs the blocks of a kernel, one after another, and their threads one at a time: each until it
// waits for others or leaves. Threads that never wait run one behind the other on one stack.
#pragma once
#include <cuda_runtime_api.h>

#include "tests/cudaemu/cuda_emu.h"

namespace cudaemu {

void run_grid(dim3 grid, dim3 block, const Kernel& kernel);

}  // namespace cudaemu
