// The runtime's last error, and launches whose error nobody looked at.
#pragma once
#include <cuda_runtime_api.h>

namespace cudaemu {

// Keeps it for cudaGetLastError(); returns it.
cudaError_t failed(cudaError_t error);
// A violation where a launch failed and nobody knows. Waits and the end of the program call it.
void require_launches_checked();

}  // namespace cudaemu
