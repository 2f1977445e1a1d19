// What Caffe's older versions called its layers.
#pragma once
#include <string>

#include "caffe_legacy.pb.h"

namespace orepa {

// The layer of that kind in today's words, "Convolution" for CONVOLUTION; empty for NONE.
std::string type_of_v1(V1LayerParameter::LayerType type);
// The same for V0's "conv"; empty where it is no layer's.
std::string type_of_v0(const std::string& type);

}  // namespace orepa
