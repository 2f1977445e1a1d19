#include <algorithm>

#include "layers/arithmetic.h"
#include "layers/arrangement.h"
#include "layers/pool_onnx.h"

namespace orepa {
namespace {

// As many windows along either axis, 1, 2, 4, ... by level, without a gap, over the image and some
// padding around it.
PoolingGeometry pyramid_windows(const LayerSpec& spec, const Shape& x, int64_t level) {
  const int64_t windows = int64_t{1} << level;
  Pair kernel, pad;
  for (const int axis : {0, 1}) {
    kernel[axis] = (x[2 + axis] + windows - 1) / windows;
    pad[axis] = (kernel[axis] * windows - x[2 + axis] + 1) / 2;
    require(pad[axis] < kernel[axis], spec.where(), "cannot cut the bottom ", x.str(), " into ",
            windows, " x ", windows, " windows; take a smaller pyramid_height");
  }
  return pool_windows(spec, x, kernel, kernel, pad, true);
}

// Pools of 1, 4, 16, ... windows over the image, each flattened, one behind the other along axis 1.
class SPP : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("spp_param");
    const Shape& x = setup.input(0);
    setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
    const int64_t height = options.integer("pyramid_height");
    setup.require(height >= 1 && height <= kMostLevels, "pyramid_height must lie between 1 and ",
                  kMostLevels, ", got ", height);
    int64_t columns = 0, draws = 0, largest = 0;
    for (int64_t level = 0; level < height; ++level) {
      const PoolingGeometry g = pyramid_windows(setup.spec(), x, level);
      Level& made = levels_.emplace_back();
      made.begin = columns;
      made.pool.setup(setup, read_pool_method(options), g, draws);
      made.top = made.pool.reads() ? setup.saved(g.output.bytes())
                                   : setup.scratch(Stage::kForward, g.output.bytes());
      columns += g.output.count(1, 4);
      draws += g.output.count(1, 4) * std::max(setup.rows().whole, x[0]);
      largest = std::max(largest, g.output.bytes());
    }
    for (Level& level : levels_) level.flat = flattened(level, columns);
    dtop_ = setup.scratch(Stage::kBackward, largest);
    dx_ = setup.scratch(Stage::kBackward, height > 1 ? x.bytes() : 0);
    if (levels_[0].pool.reads()) setup.backward_reads_input(0);
    // Caffe does not flatten a single pool.
    if (height == 1) return {{x[0], columns, 1, 1}};
    return {{x[0], columns}};
  }

  void forward(Pass& pass) override {
    for (Level& level : levels_) {
      const Tensor top{pass.memory(level.top), level.pool.geometry().output};
      level.pool.forward(pass, pass.input(0), top);
      level.flat.scatter(pass.device(), top, pass.output(0));
    }
  }

  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    for (Level& level : levels_) {
      const Shape& shape = level.pool.geometry().output;
      const Tensor top{level.pool.reads() ? pass.memory(level.top) : nullptr, shape};
      const Tensor dtop{pass.memory(dtop_), shape};
      level.flat.gather(pass.device(), pass.output_gradient(0), dtop);
      const bool first = &level == &levels_[0];
      const Tensor part = first ? dx : Tensor{pass.memory(dx_), dx.shape};
      level.pool.backward(pass, pass.input(0), top, dtop, part);
      if (!first) parallel_for(pass.device(), dx.count(), AddTo{part.floats(), dx.floats()});
    }
  }

 private:
  static constexpr int64_t kMostLevels = 16;
  struct Level {
    Pool pool;
    int64_t begin;     // its first column of the top
    Arrangement flat;  // the top is the source, the level's own the target
    Handle top;
  };

  static Arrangement flattened(const Level& level, int64_t columns) {
    const Shape& top = level.pool.geometry().output;
    const std::vector<int64_t> stride = strides_of(top);
    const int64_t plane = top.count(2, 4);
    return Arrangement({{top[0], columns, stride[0]},
                        {top[1], plane, stride[1]},
                        {top[2], top[3], stride[2]},
                        {top[3], 1, stride[3]}},
                       level.begin);
  }

  std::vector<Level> levels_;
  Handle dtop_ = -1, dx_ = -1;
};

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("spp_param");
  std::vector<std::string> pools;
  for (int64_t level = 0; level < options.integer("pyramid_height"); ++level) {
    const OnnxNode pool = write_pool(layer, read_pool_method(options),
                                     pyramid_windows(layer.spec, layer.input_shapes[0], level));
    pools.push_back(layer.before(pool.type, pool.inputs, pool.attributes));
  }
  if (pools.size() == 1) return layer.reshape(pools[0]);
  for (std::string& pool : pools) pool = layer.before("Flatten", {pool});
  layer.last("Concat", pools, {{"axis", int64_t{1}}});
}

OREPA_LAYER(SPP, "a pyramid of pools, of 1, 4, 16, ... windows over the image").onnx(write_onnx);

}  // namespace
}  // namespace orepa
