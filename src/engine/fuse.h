// Fusion: neighbouring layers that one node computes in fewer passes over memory. In memory only,
// never in files: parameters keep the names of their own layers.
//
//   BatchNorm + Scale + ReLU (each of the last two optional), Eltwise + ReLU,
//   and where no backward pass follows, Convolution or ORepaConv + ReLU
#pragma once
#include <string>
#include <vector>

#include "engine/graph.h"

namespace orepa {

// A Scale with a learned number a channel, as it stands behind a BatchNorm.
bool is_channel_scale(const Node& node);

// Blobs in `keep` stay readable, and with `backward` so do their gradients: what would make them
// disappear is not fused.
void fuse(Graph& graph, bool backward, const std::vector<std::string>& keep);

}  // namespace orepa
