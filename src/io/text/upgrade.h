// What Caffe's older versions and its forks say in other words, in the words of proto/orepa.proto:
// a net-level `input` becomes an Input layer in front, `ceil_mode` of a pool becomes `round_mode`,
// a DepthwiseConvolution a Convolution with a group an output.
#pragma once
#include <string>

namespace orepa {

class NetParameter;
class Positions;

// Throws Error where an input has no shape or ceil_mode and round_mode contradict each other; it
// names the place, or `name` where `positions` is null.
void upgrade(NetParameter& net, const std::string& name, const Positions* positions);

}  // namespace orepa
