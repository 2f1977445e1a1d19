// What Caffe's older versions and its forks say in other words, in the words of proto/orepa.proto:
// a net-level `input` becomes an Input layer in front, `ceil_mode` of a pool becomes `round_mode`,
// a BatchNorm with three param {} does not learn its statistics, one with a scale and a bias in
// itself has a Scale behind it, a DepthwiseConvolution is a Convolution with a group an output.
// (Nets of layers {} are upgraded before, io/legacy.)
#pragma once
#include <string>

namespace orepa {

class NetParameter;
class Options;
class Positions;
class SolverParameter;

// Throws Error where an input has no shape or words contradict each other; it names the place, or
// `name` where `positions` is null. A layer that is put in stands where what it was said by does.
void upgrade(NetParameter& net, const std::string& name, Positions* positions);

// Of a solver, and of the nets that stand in it.
void upgrade(SolverParameter& solver, const std::string& name, Positions& positions);

// A solver's `type`, also where it is said as `solver_type`. Throws Error where both are given.
std::string type_of_solver(const Options& solver);

}  // namespace orepa
