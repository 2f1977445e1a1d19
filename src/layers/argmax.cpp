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
    const int64_t first = from_view.position(i, 0);
    if (!from_order.is_row_major())
      find(i, InOrder{from_view, from_order, i});
    else if (from_view.inner == 1)  // loops of their own, which are vectorised
      find(i, Neighbours{first});
    else
      find(i, Apart{first, from_view.inner});
  }

 private:
  // Where number k of a position lies.
  struct InOrder {
    AxisView view;
    LogicalOrder order;
    int64_t i;
    OREPA_HD int64_t operator()(int64_t k) const { return order.stored(view.position(i, k)); }
  };
  struct Neighbours {
    int64_t first;
    OREPA_HD int64_t operator()(int64_t k) const { return first + k; }
  };
  struct Apart {
    int64_t first, step;
    OREPA_HD int64_t operator()(int64_t k) const { return first + k * step; }
  };

  template <class Place>
  OREPA_HD void find(int64_t i, Place place) const {
    const auto extent = static_cast<int32_t>(from_view.extent);
    float last = INFINITY;
    int32_t last_k = extent;
    for (int64_t j = 0; j < top_k; ++j) {
      // Of what is left: the others come before (last, last_k). NaN is none.
      float best = -INFINITY;
#pragma omp simd reduction(max : best)
      for (int32_t k = 0; k < extent; ++k) {
        const float value = x[place(k)];
        const bool left = (value < last) | ((value == last) & (k < last_k));
        const float candidate = left ? value : -INFINITY;
        best = candidate > best ? candidate : best;
      }
      int32_t best_k = -1;
#pragma omp simd reduction(max : best_k)
      for (int32_t k = 0; k < extent; ++k) {
        const bool left = (best < last) | (k < last_k);
        const int32_t candidate = left & (x[place(k)] == best) ? k : -1;
        best_k = candidate > best_k ? candidate : best_k;
      }
      last = best_k < 0 ? NAN : best;  // NaN where there are too few that are numbers
      last_k = best_k;
      write(i, j, best_k, last);
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

// The top_k largest numbers along an axis, and their indices. ONNX has the first of equal ones
// first, and so gets the numbers in reverse.
std::vector<std::string> write_largest(const OnnxLayer& layer, const std::string& scores,
                                       int64_t axis, int64_t extent, int64_t top_k) {
  const std::string reverse = layer.before(
      "Slice", {scores, layer.integers("begin", {-1}), layer.integers("end", {-extent - 1}),
                layer.integers("axes", {axis}), layer.integers("steps", {-1})});
  const std::vector<std::string> largest =
      layer.before(2, "TopK", {reverse, layer.integers("top_k", {top_k})}, {{"axis", axis}});
  return {largest[0], layer.before("Sub", {layer.integers("last", {extent - 1}), largest[1]})};
}

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("argmax_param");
  const Shape& x = layer.input_shapes[0];
  const int64_t top_k = options.integer("top_k");
  const bool has_axis = options.has("axis"), values = options.flag("out_max_val");
  const auto axis = static_cast<int>(has_axis ? canonical_axis(options.integer("axis"), x) : 1);
  const int64_t extent = has_axis ? x[axis] : x.count() / x[0];
  const std::string scores =
      has_axis ? layer.inputs[0] : layer.reshaped(layer.inputs[0], {x[0], extent});
  const auto as_float = [&](const std::string& index) {
    return layer.before("Cast", {index}, {{"to", kOnnxFloat}});
  };
  if (top_k == 1 && !values)
    return layer.reshape(as_float(layer.before(
        "ArgMax", {scores},
        {{"axis", int64_t{axis}}, {"keepdims", int64_t{1}}, {"select_last_index", int64_t{1}}})));
  const std::vector<std::string> largest = write_largest(layer, scores, axis, extent, top_k);
  if (!values) return layer.reshape(as_float(largest[1]));
  if (has_axis) return layer.reshape(largest[0]);
  layer.reshape(layer.before("Concat", {as_float(largest[1]), largest[0]}, {{"axis", int64_t{1}}}));
}

OREPA_LAYER(ArgMax, "which of the numbers along an axis, or of a sample, are largest")
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
