// Chains: every Convolution of a net with the BatchNorm and Scale behind it, found from the graphs
// of both phases.
#pragma once
#include <string>
#include <vector>

#include "orepa.pb.h"
#include "orepa/layer.h"
#include "orepa/model_io.h"

namespace orepa {

struct Chain {
  // Layers of the net; null where there is none. Each is the only reader of the one before.
  const LayerParameter *convolution = nullptr, *norm = nullptr, *scale = nullptr;
  bool seen = false;    // whether a phase includes the convolution
  bool planar = false;  // whether it is over height and width; else nothing below is known
  bool clear = false;   // whether all phases that do agree on norm and scale

  int64_t outputs = 0, groups = 1;
  Pair kernel{}, stride{}, pad{}, dilation{};
  int64_t channels = 0;          // of the bottom; 0 where they are not known
  std::string channels_unknown;  // why; may be empty

  const std::string& bottom() const { return convolution->bottom(0); }
  const LayerParameter& end() const { return *(scale ? scale : norm ? norm : convolution); }
  const std::string& top() const { return end().top(0); }
};

// The phases in which the layers make a net, at level 0 and without stages. Throws Error where
// there is none.
std::vector<Phase> phases_of(const NetSpec& net);

// In the order of the file. Throws Error where no phase makes a net. Must not outlive `net`.
std::vector<Chain> find_chains(const NetSpec& net);

}  // namespace orepa
