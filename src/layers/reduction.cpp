#include <cmath>

#include "layers/copy_in_order.h"
#include "layers/group_sums.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

enum class Operation { kSum, kAbsolute, kSquare };

// Memory as rows: what one number of the top sums up, or the channels of a pixel, of which a number
// of the top sums up one each.
struct Rows {
  AxisView view;
  OREPA_HD bool are_pixels() const { return view.inner > 1; }
  OREPA_HD int64_t columns() const { return are_pixels() ? view.inner : view.extent; }
  // The sum that has number j of row r is number first(r) + j * step(), in the order of `sums`.
  OREPA_HD int64_t first(int64_t r) const {
    return are_pixels() ? r / view.extent * view.inner : r;
  }
  OREPA_HD int64_t step() const { return are_pixels() ? 1 : 0; }

  // The axes from `axis` on are summed up.
  static Rows of(const Shape& x, int axis) {
    const int64_t each = x.count(axis, x.rank());
    if (x.rank() != 4 || axis < 2) return {{x.count() / each, each, 1}};
    return {{x.count() / each / x[1], each, x[1]}};
  }
  // A shape whose order in memory is that of the sums.
  Shape sums(const Shape& x, int axis) const {
    if (are_pixels()) return {x[0], x[1], axis == 3 ? x[2] : 1, 1};
    return {view.positions()};
  }
};

// What is known at compile time is vectorised as a sum.
template <Operation operation>
struct Term {
  int64_t columns;
  float coefficient;
  const float* x;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const float value = x[r * columns + j];
    if constexpr (operation == Operation::kAbsolute) return coefficient * fabsf(value);
    if constexpr (operation == Operation::kSquare) return coefficient * value * value;
    return coefficient * value;
  }
};

struct Gradient {
  Rows rows;
  Operation operation;
  float coefficient;
  const float* x;     // null for a sum
  const float* dsum;  // in the order of Rows::sums()
  float* dx;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t at = r * rows.columns() + j;
    const float slope = coefficient * dsum[rows.first(r) + j * rows.step()];
    if (operation == Operation::kSum) {
      dx[at] = slope;
      return;
    }
    const float value = x[at], sign = value > 0 ? 1.0f : value < 0 ? -1.0f : 0.0f;
    dx[at] = slope * (operation == Operation::kAbsolute ? sign : 2 * value);
  }
};

float coefficient_of(const Options& options, int64_t each) {
  const double given = options.number("coeff");
  return static_cast<float>(options.choice("operation") == "MEAN" ? given / double(each) : given);
}

class Reduction : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("reduction_param");
    const Shape& x = setup.input(0);
    const int axis = x.rank() == 0 && options.integer("axis") == 0
                         ? 0
                         : canonical_axis(setup, options.integer("axis"), x);
    const std::string operation = options.choice("operation");
    operation_ = operation == "ASUM"    ? Operation::kAbsolute
                 : operation == "SUMSQ" ? Operation::kSquare
                                        : Operation::kSum;
    rows_ = Rows::of(x, axis);
    coefficient_ = coefficient_of(options, rows_.view.extent);
    if (operation_ != Operation::kSum) setup.backward_reads_input(0);
    const Shape y(std::vector<int64_t>(x.extents().begin(), x.extents().begin() + axis));
    sums_shape_ = rows_.sums(x, axis);
    if (!(LogicalOrder(sums_shape_) == LogicalOrder(y))) {
      sums_ = setup.scratch(Stage::kForward, y.bytes());
      dsums_ = setup.scratch(Stage::kBackward, y.bytes());
    }
    if (rows_.are_pixels())
      partial_ =
          setup.scratch(Stage::kForward,
                        group_sums_scratch(rows_.view.outer, rows_.view.extent, rows_.view.inner));
    return {y};
  }
  void forward(Pass& pass) override {
    const Tensor y = pass.output(0);
    float* sums = sums_ < 0 ? y.floats() : pass.floats(sums_);
    if (operation_ == Operation::kAbsolute)
      add_up<Operation::kAbsolute>(pass, sums);
    else if (operation_ == Operation::kSquare)
      add_up<Operation::kSquare>(pass, sums);
    else
      add_up<Operation::kSum>(pass, sums);
    if (sums_ >= 0) copy_in_order(pass.device(), {sums, sums_shape_}, y);
  }
  void backward(Pass& pass) override {
    const Tensor dy = pass.output_gradient(0), dx = pass.input_gradient(0);
    const float* x = operation_ == Operation::kSum ? nullptr : pass.input(0).floats();
    float* dsums = dsums_ < 0 ? dy.floats() : pass.floats(dsums_);
    if (dsums_ >= 0) copy_in_order(pass.device(), dy, {dsums, sums_shape_});
    parallel_rows(pass.device(), dx.count() / rows_.columns(), rows_.columns(),
                  Gradient{rows_, operation_, coefficient_, x, dsums, dx.floats()});
  }

 private:
  template <Operation operation>
  void add_up(Pass& pass, float* sums) const {
    const AxisView& view = rows_.view;
    const Term<operation> term{rows_.columns(), coefficient_, pass.input(0).floats()};
    if (rows_.are_pixels())
      sum_groups(pass.device(), view.outer, view.extent, view.inner, term, sums,
                 pass.floats(partial_));
    else
      reduce_rows(pass.device(), view.outer, view.extent, term, sums);
  }
  Operation operation_ = Operation::kSum;
  Rows rows_;
  Shape sums_shape_;
  float coefficient_ = 1;
  Handle sums_ = -1, dsums_ = -1;  // in their own order, where the top has another one
  Handle partial_ = -1;
};

// All as means, times a number: OpenCV 4.6 does not read opset 13's ReduceSum.
void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("reduction_param");
  const Shape& x = layer.input_shapes[0];
  const std::string operation = options.choice("operation"), &bottom = layer.inputs[0];
  std::string terms = bottom;
  if (operation == "ASUM") terms = layer.before("Abs", {bottom});
  if (operation == "SUMSQ") terms = layer.before("Mul", {bottom, bottom});
  std::vector<int64_t> axes;
  for (int axis = layer.output_shape.rank(); axis < x.rank(); ++axis) axes.push_back(axis);
  const std::string mean =
      layer.before("ReduceMean", {terms}, {{"axes", axes}, {"keepdims", int64_t{0}}});
  const int64_t each = x.count() / layer.output_shape.count();
  const float factor = coefficient_of(options, each) * static_cast<float>(each);
  layer.last("Mul", {mean, layer.constant("factor", Shape{}, {factor})});
}

OREPA_LAYER(Reduction, "the SUM, ASUM, SUMSQ or MEAN over the axes from `axis` on")
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
