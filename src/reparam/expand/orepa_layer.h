// From a Convolution to an ORepaConv.
#pragma once
#include "orepa.pb.h"

namespace orepa {

// Everything but the kernel stays. The weight's `param {}` becomes that of every factor, so that
// the bias keeps its own; a weight_filler goes, the branches have theirs.
void make_orepa(LayerParameter& convolution, const OrepaParameter& branches);
void make_orepa(LayerParameter& convolution, OrepaParameter::Preset preset);

}  // namespace orepa
