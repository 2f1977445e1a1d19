// Whether the layers of a weight file are those of a net. Most blobs are known by their position in
// the layer, which tells which one it is only where the layer is the same: the first factor of an
// ORepaConv would pass for the kernel of a plain convolution.
#pragma once
#include <string>
#include <vector>

#include "io/weights/stored_blobs.h"
#include "orepa/params.h"

namespace orepa {

// Throws Error that says what to do where a layer is in both and has more blobs in the file, fewer
// by position (BatchNorm's factor may be absent), or is an ORepaConv in one of them.
void require_same_layers(const std::vector<StoredBlob>& blobs, const std::string& file,
                         const Parameters& parameters);

// What files hold of a net: everything but what is derived.
bool in_files(const Parameter& parameter);
// BatchNorm's third blob, by which Caffe divides the other two.
bool is_factor(const Parameter& parameter);

}  // namespace orepa
