// What a layer type is to those who look at a net without running it: to `convert`, which merges
// what is linear, to `convert --to onnx`, and to `reparam`, which counts channels. Said in the
// layer's own file, behind its registration:
//
//   OREPA_LAYER(ReLU, "y = max(0, x)").keeps_channels().onnx(write_onnx);
//
// What is not said is not so: such a layer is not merged, and no part of an ONNX file.
#pragma once
#include <cstdint>
#include <optional>
#include <vector>

#include "orepa/linear_map.h"
#include "orepa/tensor.h"

namespace orepa {

struct LayerSpec;
class OnnxLayer;  // onnx_layer.h
class Parameters;

// A layer of one bottom and one top that is linear in inference.
struct LinearRole {
  enum class Kind {
    kKernel,         // has a kernel of its own, into which others are merged
    kNormalisation,  // scales and shifts channels: BatchNorm, Scale
    kOther
  };
  Kind kind;
  // Its map between an input and an output of these shapes, each N x C x H x W or N x C; empty
  // where it is not linear, or its windows are no convolution's (a clipped average).
  std::optional<LinearShape> (*shape)(const LayerSpec& spec, const Shape& input,
                                      const Shape& output);
  // The numbers of a map that shape() gave, zeros so far. Derived kernels are there: after
  // prepare().
  void (*read)(const LayerSpec& spec, const Parameters& parameters, LinearMap& map);
};

struct LayerRoles {
  std::optional<LinearRole> linear;
  // The factors of its inputs where the layer adds them up; empty where it does anything else.
  std::vector<double> (*sum_factors)(const LayerSpec& spec, size_t inputs) = nullptr;
  // Adds the layer's nodes; throws Error where ONNX cannot say what the layer does.
  void (*onnx)(const OnnxLayer& layer) = nullptr;
  // Channels (extent of axis 1) of each top from those of the bottoms; 0: unknown.
  int64_t (*channels)(const LayerSpec& spec, const std::vector<int64_t>& inputs) = nullptr;
};

}  // namespace orepa
