// SegNet's Upsample: the numbers of bottom 0 go to the pixels that bottom 1, the mask of the pool
// that is undone, names (UpsampleParameter).
#pragma once
#include <memory>

#include "orepa/layer.h"
#include "orepa/onnx_layer.h"

namespace orepa {

std::unique_ptr<Layer> make_unpooling();
void write_unpooling(const OnnxLayer& layer);

}  // namespace orepa
