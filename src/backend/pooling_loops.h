// Pooling as loops of parallel.h: a CUDA device's, since cuDNN's mean does not know Caffe's clipped
// windows, and the CPU's where oneDNN is wrong. Only src/backend includes this.
#pragma once
#include <memory>

#include "orepa/device.h"

namespace orepa {

// The device outlives it. Throws Error where a plane has 2^31 pixels or more.
std::unique_ptr<PoolingPlan> make_pooling_loops(const Device& device,
                                                const PoolingGeometry& geometry);

}  // namespace orepa
