// Convert: a trained net with re-parameterised convolutions to the plain net for use, written so
// that stock Caffe readers load it, and proven equal before the files stay.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "orepa/device.h"
#include "orepa/model_io.h"

namespace orepa {

struct ConvertOptions {
  std::string output, output_weights;  // the deploy prototxt and its .caffemodel or .h5
  std::string output_test;  // the merged net with its data, loss and accuracy layers; may be empty
  double tolerance = 1e-4;  // relative to the largest number of a blob
  Algorithm algorithm = Algorithm::kAuto;
};

struct ConvertReport {
  struct Row {
    std::string layer, parts;  // "stage1.0.conv1", "ORepaConv + BatchNorm + Scale"
    double largest_before = 0, largest_after = 0;  // kernel weights
    double error = 0;  // of the layer's top, relative to its largest number
  };
  std::vector<Row> rows;
  double output_error = 0;                              // relative, the largest of all outputs
  double output_difference = 0;                         // absolute
  int64_t parameters_before = 0, parameters_after = 0;  // learned numbers, statistics not counted
};

// Loads `weights` (all have to be there), merges, writes, reads back what was written and compares
// both nets on random inputs. Throws Error, and leaves the files as they were, where they differ by
// more than the tolerance.
ConvertReport convert(const NetSpec& net, const std::string& weights, Device& device,
                      const ConvertOptions& options);

}  // namespace orepa
