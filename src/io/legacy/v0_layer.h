// The layer {} inside of V0's layers {}: one message for layers of all types.
#pragma once
#include "caffe_legacy.pb.h"
#include "io/legacy/field_copy.h"

namespace orepa {

// Whether it is a layer of zeros around an image, which convolutions and pools have of themselves
// today.
bool is_padding(const V1LayerParameter& layer);

// Adds to `layer` its name, its type, its blobs and what it says besides. Throws Error where there
// is no such type, and where it says what is not of its type.
void upgrade_v0_layer(const V0LayerParameter& old, const FieldCopy& fields, LayerParameter& layer);

}  // namespace orepa
