// What Caffe's older versions and its forks say in other words, in the words of proto/orepa.proto:
// a net-level `input` becomes an Input layer in front, `ceil_mode` of a pool becomes `round_mode`,
// a BatchNorm with three param {} does not learn its statistics, a DepthwiseConvolution is a
// Convolution with a group an output. (Nets of layers {} are upgraded before, io/legacy.)
#pragma once
#include <string>

namespace orepa {

class NetParameter;
class Options;
class Positions;
class SolverParameter;

// Throws Error where an input has no shape or ceil_mode and round_mode contradict each other; it
// names the place, or `name` where `positions` is null.
void upgrade(NetParameter& net, const std::string& name, const Positions* positions);

// Of a solver, and of the nets that stand in it.
void upgrade(SolverParameter& solver, const std::string& name, const Positions& positions);

// A solver's `type`, also where it is said as `solver_type`. Throws Error where both are given.
std::string type_of_solver(const Options& solver);

}  // namespace orepa
