#include "layers/axis.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

enum class Operation { kSum, kAbsolute, kSquare };

// Number k of those that row r of the top sums up; rows are in their logical order.
struct Rows {
  AxisView view;
  LogicalOrder order;
  OREPA_HD int64_t at(int64_t r, int64_t k) const { return view.position(order.stored(r), k); }

  // The axes from `axis` on are summed up.
  static Rows of(const Shape& x, int axis) {
    const int64_t each = x.count(axis, x.rank());
    if (x.rank() != 4 || axis < 2) return {{x.count() / each, each, 1}, LogicalOrder(Shape{})};
    const Shape rows{x[0], x[1], axis == 3 ? x[2] : 1, 1};
    return {{rows.count() / x[1], each, x[1]}, LogicalOrder(rows)};
  }
};

struct Term {
  Rows rows;
  Operation operation;
  float coefficient;
  const float* x;
  OREPA_HD float operator()(int64_t r, int64_t k) const {
    const float value = x[rows.at(r, k)];
    switch (operation) {
      case Operation::kAbsolute:
        return coefficient * (value < 0 ? -value : value);
      case Operation::kSquare:
        return coefficient * value * value;
      default:
        return coefficient * value;
    }
  }
};

// Row r of the bottom's memory: the channels of a pixel, or what one number of the top sums up.
struct Gradient {
  AxisView view;
  int64_t plane;  // sums of a channel: those of N x C x H or of N x C
  Operation operation;
  float coefficient;
  const float* x;  // null for a sum
  const float* dy;
  LogicalOrder order;  // of dy
  float* dx;
  OREPA_HD int64_t columns() const { return view.inner > 1 ? view.inner : view.extent; }
  // Which number of the top has this one of the bottom, in the logical order.
  OREPA_HD int64_t sum_of(int64_t r, int64_t j) const {
    if (view.inner == 1) return r;
    const int64_t outer = r / view.extent;
    return (outer / plane * view.inner + j) * plane + outer % plane;
  }
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t at = r * columns() + j;
    const float slope = coefficient * dy[order.stored(sum_of(r, j))];
    switch (operation) {
      case Operation::kAbsolute:
        dx[at] = x[at] > 0 ? slope : x[at] < 0 ? -slope : 0;
        break;
      case Operation::kSquare:
        dx[at] = slope * 2 * x[at];
        break;
      default:
        dx[at] = slope;
    }
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
    if (!LogicalOrder(y).is_row_major()) sums_ = setup.scratch(Stage::kForward, y.bytes());
    return {y};
  }
  void forward(Pass& pass) override {
    const Tensor y = pass.output(0);
    float* sums = sums_ < 0 ? y.floats() : pass.floats(sums_);
    reduce_rows(pass.device(), y.count(), rows_.view.extent,
                Term{rows_, operation_, coefficient_, pass.input(0).floats()}, sums);
    if (sums_ >= 0) copy_in_order(pass.device(), {sums, {y.count()}}, y);
  }
  void backward(Pass& pass) override {
    const Tensor dy = pass.output_gradient(0);
    const float* x = operation_ == Operation::kSum ? nullptr : pass.input(0).floats();
    const Tensor dx = pass.input_gradient(0);
    const int64_t plane = dy.shape.rank() == 3 ? dy.shape[2] : 1;
    const Gradient gradient{
        rows_.view, plane, operation_, coefficient_, x, dy.floats(), LogicalOrder(dy.shape),
        dx.floats()};
    parallel_rows(pass.device(), dx.count() / gradient.columns(), gradient.columns(), gradient);
  }

 private:
  Operation operation_ = Operation::kSum;
  Rows rows_{{}, LogicalOrder(Shape{})};
  float coefficient_ = 1;
  Handle sums_ = -1;  // in logical order, where the top has another one
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
