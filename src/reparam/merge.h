// Merge: what is linear in a net becomes plain Convolutions and InnerProducts, wherever that is
// exact and worth it (see linear_graph.h for what is found, linear_algebra.h for the arithmetic): a
// convolution with BatchNorm and Scale, ORepaConv, the branches of DBB, RepVGG and ACNet blocks,
// sequences, in any nesting.
#pragma once
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "orepa.pb.h"
#include "orepa/convert.h"
#include "orepa/params.h"

namespace orepa {

struct MergedNet {
  NetParameter net;
  // Values in Caffe's order by LAYER/NAME, for every parameter of `net`.
  std::map<std::string, std::vector<float>> values;
  // Of blobs that could not keep theirs, by their new name: what the layers between used to write
  // over them in place.
  std::map<std::string, std::string> original_names;
  // By value_name() of a layer of `net`, which value of the given net its top is; not those of some
  // terms of a sum alone, which the given net does not have.
  std::map<std::string, std::string> original_values;
  std::vector<ConvertReport::Row> rows;  // merged layers; their errors are not known here
  std::vector<ConvertReport::Left> left;
};

// `net` is a phase's layers (deploy.h); `parameters` are those of a net made from it whose
// prepare() has run, so that the derived kernels are there; `shape_of` gives that net's shapes.
// `merge_all`: see linear_graph.h.
MergedNet merge(const NetParameter& net, const Parameters& parameters,
                const std::function<Shape(const std::string&)>& shape_of, bool merge_all = false);

}  // namespace orepa
