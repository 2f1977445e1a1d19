// A BatchNorm of NVIDIA's and Intel's Caffe has five blobs: the scale and the bias of the Scale
// behind it are its last ones.
#pragma once
#include <string>
#include <vector>

#include "io/weights/stored_blobs.h"

namespace orepa {

// Gives those blobs to the Scale that stands behind the BatchNorm in the net. Throws Error where
// none does, and where the file has blobs for it besides.
void part_batch_norms(const std::string& file, const Parameters& parameters,
                      std::vector<StoredBlob>& blobs);

}  // namespace orepa
