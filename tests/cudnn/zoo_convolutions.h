// The convolutions of the zoo.
#pragma once
#include <cstdint>
#include <set>

#include "orepa/device.h"

namespace orepa {

// What the nets under models/, but not those of models/caffe, ask a device for at that batch size
// and precision: train_val in both phases, and deploy.
std::set<ConvolutionGeometry> zoo_convolutions(int64_t batch, DType precision);

}  // namespace orepa
