// ONNX: a net for use as one file with its weights inside, which ONNX runtimes take. Shapes, the
// batch size included, are fixed.
#pragma once
#include <functional>
#include <string>

#include "orepa/model_io.h"
#include "orepa/params.h"
#include "orepa/tensor.h"

namespace orepa {

// Writes the layers of phase TEST; `parameters` are those of a net made from `net`, and `shape_of`
// tells the shape of its blobs. Inputs and outputs are called after their blobs. Atomic. Throws
// Error that names the layer where ONNX cannot say it exactly: sources of data, losses, layers of
// training.
void write_onnx(const std::string& path, const NetSpec& net, const Parameters& parameters,
                const std::function<Shape(const std::string&)>& shape_of);

}  // namespace orepa
