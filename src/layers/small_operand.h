// What Scale and Bias share: a small tensor that is spread over the first bottom along some axes,
// learned, or the second bottom.
#pragma once
#include <algorithm>
#include <string>
#include <vector>

#include "layers/axis.h"
#include "layers/broadcast.h"
#include "orepa/onnx_layer.h"

namespace orepa {

// Sums over what each number of the small tensor is spread over: of x dy, or of dy where x is null.
struct SpreadGradient {
  Broadcast spread;
  const float *x, *dy;
  OREPA_HD float term(int64_t i) const { return x == nullptr ? dy[i] : x[i] * dy[i]; }
};
// For reduce_rows().
struct SpreadRows : SpreadGradient {
  OREPA_HD float operator()(int64_t j, int64_t k) const { return term(spread.large(j, k)); }
};
// For reduce_columns(), where there is a number for each column, and for the sum of all.
struct SpreadColumns : SpreadGradient {
  OREPA_HD float operator()(int64_t r, int64_t j) const { return term(r * spread.columns() + j); }
};

struct SmallOperand {
  Shape shape;
  Broadcast spread;
  Handle parameter = -1;  // -1: the second bottom
  Handle partial = -1;

  // By the fields axis, num_axes and filler (default: `value`) of a ScaleParameter or
  // BiasParameter.
  static SmallOperand declare(Setup& setup, const Options& options, const std::string& name,
                              double value) {
    const Shape& x = setup.input(0);
    const int axis = canonical_axis(setup, options.integer("axis"), x);
    const bool learned = setup.inputs() == 1;
    SmallOperand operand;
    if (learned) {
      const int64_t axes = options.integer("num_axes");
      setup.require(axes >= -1 && axis + axes <= x.rank(), "num_axes ", axes,
                    " reaches beyond the bottom ", x.str());
      const auto begin = x.extents().begin() + axis;
      operand.shape =
          Shape(std::vector<int64_t>(begin, axes < 0 ? x.extents().end() : begin + axes));
    } else {
      operand.shape = setup.input(1);
    }
    const Shape& shape = operand.shape;
    setup.require(axis + shape.rank() <= x.rank(), "a ", name, " of ", shape.str(), " from axis ",
                  axis, " reaches beyond the bottom ", x.str());
    for (int a = 0; a < shape.rank(); ++a)
      setup.require(shape[a] == x[axis + a], "a ", name, " of ", shape.str(), " from axis ", axis,
                    " does not fit the bottom ", x.str());
    operand.spread = Broadcast(x, shape, axis);
    if (operand.spread.is_of_columns())
      operand.partial = setup.scratch(Stage::kBackward,
                                      reduce_columns_scratch(operand.spread.rows(), shape.count()));
    if (learned)
      operand.parameter =
          setup.parameter(name, shape, Filler::from(options, "filler", Filler::constant(value)));
    return operand;
  }

  bool is_learned() const { return parameter >= 0; }
  Tensor value(Pass& pass) const {
    return is_learned() ? pass.parameter(parameter) : pass.input(1);
  }
  Tensor gradient(Pass& pass) const {
    return is_learned() ? pass.gradient(parameter) : pass.input_gradient(1);
  }
  bool accumulates(Pass& pass) const { return is_learned() && pass.accumulates(parameter); }
  // Of the small one, or of a bias beside it: out = sums of x dy, or of dy where x is null.
  void add_up(Pass& pass, const float* x, const float* dy, float* out, bool accumulates) const {
    if (partial >= 0)
      reduce_columns(pass.device(), spread.rows(), spread.columns(), SpreadColumns{{spread, x, dy}},
                     out, accumulates, pass.floats(partial));
    else if (spread.count() == 1)
      reduce_rows(pass.device(), 1, spread.rest(), SpreadColumns{{spread, x, dy}}, out,
                  accumulates);
    else
      reduce_rows(pass.device(), spread.count(), spread.rest(), SpreadRows{{spread, x, dy}}, out,
                  accumulates);
  }
};

// Whether a learned one has a number a channel, of N x C or N x C x H x W.
inline bool is_of_channels(const Options& options, const Shape& input) {
  const int64_t axis = options.integer("axis"), axes = options.integer("num_axes");
  return (axis == 1 || axis == 1 - input.rank()) &&
         (axes == 1 || (axes == -1 && input.rank() == 2));
}

// Its shape in ONNX, aligned with the last axes of x: 1 behind those that it is spread along.
inline Shape onnx_spread(const OnnxLayer& layer, const Options& options) {
  const Shape& x = layer.input_shapes[0];
  const int64_t axis = canonical_axis(options.integer("axis"), x);
  const int64_t axes = layer.inputs.size() == 1
                           ? options.integer("num_axes")
                           : static_cast<int64_t>(layer.input_shapes[1].rank());
  std::vector<int64_t> extents(x.extents().begin() + axis, x.extents().end());
  if (axes >= 0) std::fill(extents.begin() + axes, extents.end(), 1);
  return Shape(extents);
}

// The tensor in that shape.
inline std::string onnx_operand(const OnnxLayer& layer, const Options& options,
                                const std::string& name) {
  const Shape spread = onnx_spread(layer, options);
  if (layer.inputs.size() == 1) return layer.parameter(name, spread);
  if (layer.input_shapes[1] == spread) return layer.inputs[1];
  return layer.reshaped(layer.inputs[1], spread);
}

}  // namespace orepa
