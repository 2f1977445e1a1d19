// Convert: a trained net with re-parameterised convolutions or blocks to the plain net for use,
// written so that stock Caffe readers or ONNX runtimes load it, and proven equal before the files
// stay.
#pragma once
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "orepa/device.h"
#include "orepa/model_io.h"

namespace orepa {

struct ConvertOptions {
  enum class Format { kCaffe, kOnnx };
  Format format = Format::kCaffe;
  std::string output;          // the deploy prototxt, or the .onnx file with its weights
  std::string output_weights;  // the deploy net's .caffemodel or .h5; not of ONNX
  // The deploy net with the data, loss and accuracy layers, for the same weights; may be empty.
  std::string output_test;
  // Also merges layers in sequence that are cheaper apart, and blocks that would be several times
  // their cost.
  bool merge_all = false;
  double tolerance = 1e-4;  // relative to the largest number of a blob
};

// The smallest and the largest of some weights; of none, least > most.
struct WeightRange {
  double least = std::numeric_limits<double>::infinity();
  double most = -std::numeric_limits<double>::infinity();
  bool empty() const { return least > most; }
  void include(const std::vector<double>& weights);
  void include(const WeightRange& other);
};

struct ConvertReport {
  struct Branch {
    std::string parts;    // "Convolution + BatchNorm + Scale", "identity"
    WeightRange weights;  // of its own kernel, once merged
  };
  // A convolution that stands for several layers, or for one that stock readers do not know.
  struct Row {
    std::string layer, parts;  // "stage1.0.conv1", "ORepaConv + BatchNorm + Scale", "4 branches"
    std::string top;
    std::vector<Branch> branches;  // where it is a sum
    WeightRange before, after;     // the kernels of its parts, and its own
    // Of the top, relative to its largest number; absent where the trained net has no such blob.
    std::optional<double> error;
  };
  // A linear layer that one would want merged, and why it stays.
  struct Left {
    std::string layer, type, reason;
  };
  // The transform_param of the data in whose place the input stands; empty: none.
  std::string transform;
  std::vector<Row> rows;
  std::vector<Left> left;
  double output_error = 0;                              // relative, the largest of all outputs
  double output_difference = 0;                         // absolute
  int64_t parameters_before = 0, parameters_after = 0;  // learned numbers, statistics not counted
};

// Loads the files `weights` (all weights have to be there; those of layers that only phase TRAIN
// has are passed over), merges, writes, reads back what was written (of ONNX, which is not read
// here: takes the net that it is written from) and compares both nets on random inputs. Throws
// Error, and leaves the files as they were, where an output or the top of a merged layer differs by
// more than the tolerance.
ConvertReport convert(const NetSpec& net, const std::vector<std::string>& weights, Device& device,
                      const ConvertOptions& options);

}  // namespace orepa
