// How the published code names the factors of a re-parameterised kernel.
#pragma once
#include <string>
#include <vector>

#include "io/published/published_tensors.h"

namespace orepa {

// The tensors of an ORepaConv with these parameters: one module, or one for every link of a chain.
// Throws Error where its branches are no published block's.
std::vector<PublishedTensor> kernel_tensors(const Options& layer,
                                            const std::vector<Parameter*>& parameters);

[[noreturn]] void refuse_layer(const Options& layer, const std::string& why);

}  // namespace orepa
