// The harness: what every layer and branch must fulfil on every device, checked from one row.
//
//   forward     equals a reference, where the row gives one
//   memory      sentinels, reads of what is not there, writes where nothing may be, tensors kept
//               without need (layer_bench.h)
//   bits        a second run gives the same; so does one in place, and one with fewer gradients
//   gradients   along random directions, for every input and parameter; a second backward() adds
#pragma once
#include <functional>
#include <ostream>
#include <string>
#include <vector>

#include "tests/layers/layer_bench.h"

namespace orepa {

struct TestInput {
  enum class Values {
    kNormal,
    kSpread,    // no two within 8 steps of a finite difference, none that near zero: for kinks
    kPositive,  // from 0.5 to 1.5
    kLabels,    // whole numbers below `classes`
  };
  Shape shape;
  Values values = Values::kNormal;
  int64_t classes = 0;
};

using Arrays = std::vector<std::vector<double>>;

struct LayerCase {
  std::string name;    // of the row: letters, digits and underscores
  std::string layers;  // prototxt: the layer, then those that it absorbs
  std::vector<TestInput> inputs;
  // Expected outputs of the inputs and the parameters, all in Caffe's order. Null: left to other
  // tests.
  std::function<Arrays(const Arrays& inputs, const Arrays& parameters)> expected = nullptr;
  Phase phase = Phase::kTrain;
  // How many tops have a gradient; the rest (the probabilities of a loss) is only looked at. -1:
  // all.
  int differentiable_tops = -1;
  // False where backward() is no derivative by definition, or zero everywhere: then another test
  // has to pin it down.
  bool derivative = true;
  // Whether it bends much within a step of a finite difference, which is then extrapolated from
  // two.
  bool bends = false;
};

inline void PrintTo(const LayerCase& row, std::ostream* out) { *out << row.layers; }

void check_layer(Device& device, const LayerCase& row);
// The same with activations in bfloat16, and that they differ from float32's by rounding alone.
// False where the layer takes float32 only.
bool check_layer_in_bfloat16(Device& device, const LayerCase& row);

// All rows; each file of rows adds its own.
std::vector<LayerCase> layer_cases();
std::vector<LayerCase> convolution_cases();
std::vector<LayerCase> spatial_convolution_cases();
std::vector<LayerCase> loss_cases();
std::vector<LayerCase> elementwise_cases();
std::vector<LayerCase> normalisation_cases();
std::vector<LayerCase> shape_cases();
std::vector<LayerCase> recurrent_cases();

}  // namespace orepa
