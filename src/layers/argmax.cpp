#include <algorithm>
#include <cmath>

#include "layers/axis.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// The top_k largest at a position, the largest first; of equal ones the last comes first.
struct Largest {
  AxisView from_view, to_view;
  LogicalOrder from_order{Shape{}}, to_order{Shape{}};
  int64_t top_k;
  bool indices, values;  // what the top has: one of them, or first those and then these
  const float* x;
  float* y;

  OREPA_HD void write(int64_t i, int64_t j, int64_t k, float value) const {
    const int64_t planes = indices && values ? 2 : 1;
    if (indices)
      y[to_order.stored(to_view.position(i * planes, j))] = k < 0 ? NAN : static_cast<float>(k);
    if (values) y[to_order.stored(to_view.position(i * planes + planes - 1, j))] = value;
  }
  OREPA_HD void operator()(int64_t i) const {
    float last = 0;
    int64_t last_k = -1;
    for (int64_t j = 0; j < top_k; ++j) {
      float best = NAN;  // stays where there are too few that are numbers
      int64_t best_k = -1;
      for (int64_t k = 0; k < from_view.extent; ++k) {
        const float value = x[from_order.stored(from_view.position(i, k))];
        const bool left = j == 0 || value < last || (value == last && k < last_k);
        if (left && value == value && !(value < best)) best = value, best_k = k;
      }
      write(i, j, best_k, best);
      last = best;
      last_k = best_k;
    }
  }
};

class ArgMax : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("argmax_param");
    const Shape& x = setup.input(0);
    const bool values = options.flag("out_max_val");
    largest_.top_k = options.integer("top_k");
    setup.forward_only();
    std::vector<int64_t> extents = x.extents();
    if (options.has("axis")) {
      const int axis = canonical_axis(setup, options.integer("axis"), x);
      extents[axis] = largest_.top_k;
      largest_.from_view = AxisView::of(x, axis);
      largest_.to_view = AxisView::of(Shape(extents), axis);
      largest_.values = values;
      largest_.indices = !values;
    } else {
      // Of a whole sample, and the top has three axes at least.
      setup.require(x.rank() >= 1, "bottom must have samples on axis 0, got ", x.str());
      const int64_t planes = values ? 2 : 1;
      extents.assign(static_cast<size_t>(std::max(x.rank(), 3)), 1);
      extents[0] = x[0];
      extents[1] = planes;
      extents[2] = largest_.top_k;
      largest_.from_view = {x[0], x.count() / x[0], 1};
      largest_.to_view = {x[0] * planes, largest_.top_k, 1};
      largest_.from_order = LogicalOrder(x);
      largest_.to_order = LogicalOrder(Shape(extents));
      largest_.values = values;
      largest_.indices = true;
    }
    setup.require(largest_.top_k >= 1 && largest_.top_k <= largest_.from_view.extent,
                  "top_k must lie between 1 and the ", largest_.from_view.extent,
                  " numbers that there are, got ", largest_.top_k);
    return {Shape(extents)};
  }

  void forward(Pass& pass) override {
    Largest largest = largest_;
    largest.x = pass.input(0).floats();
    largest.y = pass.output(0).floats();
    parallel_for(pass.device(), largest.from_view.positions(), largest);
  }

 private:
  Largest largest_{};
};

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("argmax_param");
  require(options.integer("top_k") == 1 && !options.flag("out_max_val"), layer.spec.where(),
          "has a top_k above 1 or out_max_val, which are not written as ONNX");
  const Shape& x = layer.input_shapes[0];
  std::string scores = layer.inputs[0];
  int64_t axis = 1;
  if (options.has("axis"))
    axis = canonical_axis(options.integer("axis"), x);
  else
    scores = layer.before("Reshape", {scores, layer.integers("sample", {x[0], x.count() / x[0]})});
  const std::string index =
      layer.before("ArgMax", {scores},
                   {{"axis", axis}, {"keepdims", int64_t{1}}, {"select_last_index", int64_t{1}}});
  layer.reshape(layer.before("Cast", {index}, {{"to", int64_t{1}}}));  // to float32
}

OREPA_LAYER(ArgMax, "which of the numbers along an axis, or of a sample, are largest")
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
