#include <limits>

#include "layers/axis.h"
#include "layers/rearrangement.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class Tile : public Rearrangement {
  Top arrange(Setup& setup) override {
    const Options options = setup.options().message("tile_param");
    const Shape& x = setup.input(0);
    const int axis = canonical_axis(setup, options.integer("axis"), x);
    const int64_t tiles = options.integer("tiles");
    setup.require(tiles > 0, "tiles must be positive, got ", tiles);
    std::vector<int64_t> extents = x.extents();
    extents[axis] *= tiles;
    const Shape y(extents);
    const std::vector<int64_t> from = strides_of(x), to = strides_of(y);
    std::vector<Arrangement::Axis> axes{{tiles, 0, x[axis] * to[axis]}};
    for (int a = 0; a < x.rank(); ++a) axes.push_back({x[a], from[a], to[a]});
    return {y, Arrangement(axes)};
  }
};

int64_t count_channels(const LayerSpec& spec, const std::vector<int64_t>& inputs) {
  const Options options = spec.options.message("tile_param");
  const Shape made{inputs[0], options.integer("tiles")};
  return options.integer("axis") == 1 && made.fits(std::numeric_limits<int64_t>::max())
             ? made.count()
             : 0;
}

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("tile_param");
  const auto tiles = static_cast<size_t>(options.integer("tiles"));
  layer.last("Concat", std::vector<std::string>(tiles, layer.inputs[0]),
             {{"axis", canonical_axis(options.integer("axis"), layer.output_shape)}});
}

OREPA_LAYER(Tile, "the bottom `tiles` times, one behind the other along an axis")
    .channels(count_channels)
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
