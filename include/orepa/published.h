// Checkpoints of the published PyTorch implementations of OREPA, DBB and RepVGG
// (github.com/JUGGHM/OREPA_CVPR2022): a state_dict as an HDF5 file with one array a tensor, which
// tools/torch_to_h5.py makes of a .pth file.
//
// An array has its tensor's name, with '.', '/' or '+' between the modules. The layers of the net
// have to be called after the published modules (docs/checkpoints.md). A net for
// training has tensors in the form for training, a merged one in the deploy form.
#pragma once
#include <string>

#include "orepa/model_io.h"
#include "orepa/params.h"

namespace orepa {

// Gives `parameters`, those of a net built from `net`, the values of the file. Throws Error, before
// any of them is changed, where the file cannot be read, a tensor is missing, unused or of another
// shape (all are listed, with the nearest names), a number is not finite, or a constant of the
// published code (the frequency prior, say) has other values than here. Constants and
// num_batches_tracked may be absent; a number that the published code never reads may be anything.
void import_published(const std::string& path, const NetSpec& net, Parameters& parameters);

// The way back; load_state_dict(strict=True) takes the file's tensors: constants are written, every
// num_batches_tracked is 0. In a merged net a convolution is called after the block it came from
// (conv1.orepa_reparam): `trained` is the net before merging; without it all were Conv-BN. Atomic.
// Throws Error where the published code has no such block.
void export_published(const std::string& path, const NetSpec& net, const Parameters& parameters,
                      const NetSpec* trained = nullptr);

}  // namespace orepa
