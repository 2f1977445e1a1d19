// Merge: every ORepaConv, and every convolution with the BatchNorm and Scale behind it, becomes one
// plain Convolution. In double, from the running statistics:
//   W' = W scale / sqrt(variance + eps),  bias' = shift + (bias - mean) scale / sqrt(variance +
//   eps)
#pragma once
#include <map>
#include <string>
#include <vector>

#include "orepa.pb.h"
#include "orepa/params.h"

namespace orepa {

struct MergedNet {
  NetParameter net;
  // Values in Caffe's order by LAYER/NAME, for every parameter of `net`.
  std::map<std::string, std::vector<float>> values;
  // Merged layers, for a report: "stage1.0.conv1 = ORepaConv + BatchNorm + Scale", with the largest
  // weight before and after.
  struct Row {
    std::string layer, parts, top;
    double largest_before = 0, largest_after = 0;
  };
  std::vector<Row> rows;
};

// `net` is a phase's layers (deploy.h); `parameters` are those of a net made from it whose
// prepare() has run, so that the derived kernels are there.
MergedNet merge(const NetParameter& net, const Parameters& parameters);

}  // namespace orepa
