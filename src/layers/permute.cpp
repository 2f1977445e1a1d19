#include "layers/rearrangement.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// Axis i of the top is axis order[i] of the bottom; those that `order` does not name follow in
// their own order (SSD's rule).
std::vector<int64_t> whole_order(const Options& options, int rank) {
  std::vector<int64_t> order = options.integers("order");
  std::vector<bool> named(static_cast<size_t>(rank), false);
  for (const int64_t axis : order)
    if (axis < rank) named[static_cast<size_t>(axis)] = true;
  for (int axis = 0; axis < rank; ++axis)
    if (!named[static_cast<size_t>(axis)]) order.push_back(axis);
  return order;
}

class Permute : public Rearrangement {
  Top arrange(Setup& setup) override {
    const Options options = setup.options().message("permute_param");
    const Shape& x = setup.input(0);
    const std::vector<int64_t> order = whole_order(options, x.rank());
    setup.require(static_cast<int>(order.size()) == x.rank(),
                  "permute_param.order must name axes of the bottom ", x.str(),
                  ", counted from 0, and each at most once");
    std::vector<int64_t> extents;
    for (const int64_t axis : order) extents.push_back(x[static_cast<int>(axis)]);
    const Shape y(extents);
    const std::vector<int64_t> from = strides_of(x), to = strides_of(y);
    std::vector<Arrangement::Axis> axes;
    for (size_t a = 0; a < order.size(); ++a)
      axes.push_back({extents[a], from[static_cast<size_t>(order[a])], to[a]});
    return {y, Arrangement(axes)};
  }
};

void write_onnx(const OnnxLayer& layer) {
  layer.last("Transpose", layer.inputs,
             {{"perm", whole_order(layer.options("permute_param"), layer.output_shape.rank())}});
}

OREPA_LAYER(Permute, "axes in another order").onnx(write_onnx);

}  // namespace
}  // namespace orepa
