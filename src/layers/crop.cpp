#include "layers/axis.h"
#include "layers/part.h"
#include "layers/rearrangement.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// Where the part begins along every axis of the bottom; `axis` is where cropping starts.
std::vector<int64_t> begin_of(const Options& options, int axis, int rank) {
  const std::vector<int64_t> offsets = options.integers("offset");
  std::vector<int64_t> begin(static_cast<size_t>(rank), 0);
  for (int a = axis; a < rank; ++a)
    if (!offsets.empty())
      begin[static_cast<size_t>(a)] =
          offsets[offsets.size() == 1 ? 0 : static_cast<size_t>(a - axis)];
  return begin;
}

// The second bottom gives the extents alone.
class Crop : public Rearrangement {
  Top arrange(Setup& setup) override {
    const Options options = setup.options().message("crop_param");
    const Shape& x = setup.input(0);
    setup.require(setup.inputs() == 2, "takes two bottoms, what is cropped and one of the size ",
                  "that it gets; got ", setup.inputs());
    const Shape& size = setup.input(1);
    setup.no_input_gradient(1);
    const int axis = canonical_axis(setup, options.integer("axis"), x);
    setup.require(size.rank() == x.rank(), "bottom 1 must have as many axes as bottom 0, ", x.str(),
                  "; got ", size.str());
    const int offsets = options.size("offset");
    setup.require(offsets <= 1 || offsets == x.rank() - axis, "needs one offset for all ",
                  x.rank() - axis, " axes from axis ", axis, " on, or one each; got ", offsets);
    const std::vector<int64_t> begin = begin_of(options, axis, x.rank());
    std::vector<int64_t> extents = x.extents();
    for (int a = axis; a < x.rank(); ++a) {
      extents[a] = size[a];
      setup.require(begin[a] + size[a] <= x[a], "offset ", begin[a], " and ", size[a],
                    " numbers along axis ", a, " reach beyond the bottom ", x.str());
    }
    const Shape y(extents);
    return {y, part_of(x, y, begin), y == x};
  }
};

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("crop_param");
  const Shape& x = layer.input_shapes[0];
  const auto axis = static_cast<int>(canonical_axis(options.integer("axis"), x));
  layer.slice(0, begin_of(options, axis, x.rank()));
}

int64_t count_channels(const LayerSpec& spec, const std::vector<int64_t>& inputs) {
  const int64_t axis = spec.options.message("crop_param").integer("axis");
  if (axis < 0 || inputs.size() != 2) return 0;
  return inputs[axis <= 1 ? 1 : 0];
}

OREPA_LAYER(Crop, "the part of bottom 0 that has the size of bottom 1 and begins at `offset`")
    .channels(count_channels)
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
