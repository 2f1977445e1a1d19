// What orepa does on purpose otherwise than Caffe 1.0, as far as a net or a solver meets it: the
// one list, which `orepa_tool check` prints where a file meets it, and docs/caffe.md shows whole (a
// test holds them equal).
#pragma once
#include <string>
#include <vector>

#include "orepa/layer.h"

namespace orepa::tool {

struct Difference {
  std::string subject;  // a type of layers, a field, or a message
  std::string what, why;
  std::string restores;  // what brings Caffe's behaviour back; empty where nothing does
  // Whether one meets it; of the three, the one that applies is there.
  bool (*layer)(const LayerSpec& layer, Phase phase) = nullptr;
  bool (*net)(const Options& net) = nullptr;
  bool (*solver)(const Options& solver) = nullptr;
};

const std::vector<Difference>& caffe_differences();

// As a row of the table of docs/caffe.md.
std::string row_of(const Difference& difference);

}  // namespace orepa::tool
