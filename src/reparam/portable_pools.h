// Pools that every reader of Caffe's files takes for the same windows.
#pragma once
#include <functional>
#include <string>

#include "orepa.pb.h"
#include "orepa/tensor.h"

namespace orepa {

// Caffe rounds the number of windows up, and its readers disagree on some last windows. A pool of
// which one of them would make other windows along an axis gets stride 1 there, and a depthwise
// 1 x 1 identity convolution behind it takes every stride-th pixel: exactly the same numbers. Its
// kernel of ones is LAYER/weight, which the caller has to fill.
NetParameter portable_pools(const NetParameter& net,
                            const std::function<Shape(const std::string&)>& shape_of);

}  // namespace orepa
