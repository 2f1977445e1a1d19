// scale * x + shift as nodes of ONNX.
#pragma once
#include <string>

#include "orepa/onnx_layer.h"

namespace orepa {

// On the way; what does nothing is left out. Returns the tensor.
inline std::string onnx_affine(const OnnxLayer& layer, const std::string& x, float scale,
                               float shift) {
  std::string y = x;
  if (scale != 1) y = layer.before("Mul", {y, layer.constant("scale", {1}, {scale})});
  if (shift != 0) y = layer.before("Add", {y, layer.constant("shift", {1}, {shift})});
  return y;
}

}  // namespace orepa
