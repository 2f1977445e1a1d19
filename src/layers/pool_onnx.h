// Pools as nodes of ONNX.
#pragma once
#include <string>
#include <vector>

#include "layers/pool.h"
#include "orepa/onnx_layer.h"

namespace orepa {

struct OnnxNode {
  std::string type;
  std::vector<std::string> inputs;
  std::vector<OnnxAttribute> attributes;
};

// Writes a pool of the layer's bottom but for its last node, which is returned.
OnnxNode write_pool(const OnnxLayer& layer, PoolMethod method, const PoolingGeometry& geometry);

}  // namespace orepa
