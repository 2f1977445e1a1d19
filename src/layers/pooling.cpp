#include "backend/pool_windows.h"
#include "layers/pool_onnx.h"
#include "layers/window.h"

namespace orepa {
namespace {

// Which pixel of its plane is the largest of a window, the first of equal ones. Row r is a window.
struct Mask {
  PoolWindows h, w;
  int64_t channels;
  const float* x;
  float* mask;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    const int64_t plane = r / (h.out * w.out) * h.in * w.in;
    const int64_t row = r / w.out % h.out, column = r % w.out;
    int64_t largest = -1;
    float best = 0;
    for (int64_t i = h.begin(row); i < h.end(row); ++i)
      for (int64_t j = w.begin(column); j < w.end(column); ++j) {
        const float value = x[(plane + i * w.in + j) * channels + c];
        if (largest >= 0 && !(value > best)) continue;
        best = value;
        largest = i * w.in + j;
      }
    mask[r * channels + c] = static_cast<float>(largest);
  }
};

class Pooling : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("pooling_param");
    const Shape& x = setup.input(0);
    setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
    const PoolMethod method = read_pool_method(options);
    has_mask_ = setup.outputs() == 2 && method == PoolMethod::kMax;
    PoolingGeometry g = read_pool_windows(setup.spec(), options, x);
    if (!has_mask_) g.type = setup.takes_bfloat16();  // which counts to 256 only
    pool_.setup(setup, method, g);
    if (pool_.reads()) {
      setup.backward_reads_input(0);
      setup.backward_reads_output(0);
    }
    if (has_mask_) return {g.output, g.output};
    return {g.output};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0), y = pass.output(0);
    pool_.forward(pass, x, y);
    if (!has_mask_) return;
    const PoolingGeometry& g = pool_.geometry();
    const int64_t channels = x.shape[1];
    parallel_rows(pass.device(), y.count() / channels, channels,
                  Mask{PoolWindows::along(g, 0), PoolWindows::along(g, 1), channels, x.floats(),
                       pass.output(1).floats()});
  }
  void backward(Pass& pass) override {
    pool_.backward(pass, pass.input(0), pass.output(0), pass.output_gradient(0),
                   pass.input_gradient(0));
  }

 private:
  Pool pool_;
  bool has_mask_ = false;
};

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input,
                                        const Shape& output) {
  const Options options = spec.options.message("pooling_param");
  if (options.choice("pool") != "AVE" || options.flag("global_pooling")) return std::nullopt;
  const Pair kernel = read_pair(spec, options, "kernel_size", "kernel", 0);
  const Pair stride = read_pair(spec, options, "stride", "stride", 1);
  const Pair pad = read_pair(spec, options, "pad", "pad", 0);
  LinearShape shape = LinearShape::identity(input[1]);
  for (const int which : {0, 1}) {
    shape.axes[which] = {kernel[which], stride[which], pad[which], 1};
    if (shape.axes[which].output(input[2 + which]) != output[2 + which]) return std::nullopt;
  }
  return shape;
}

void read_map(const LayerSpec&, const Parameters&, LinearMap& map) {
  map.kernel.assign(map.kernel.size(), 1.0 / static_cast<double>(map.taps()));
}

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("pooling_param");
  const PoolMethod method = read_pool_method(options);
  const bool has_mask = layer.outputs.size() == 2;
  if (options.flag("global_pooling") && method != PoolMethod::kStochastic && !has_mask)
    return layer.last(method == PoolMethod::kMax ? "GlobalMaxPool" : "GlobalAveragePool",
                      layer.inputs);
  const Shape& x = layer.input_shapes[0];
  const OnnxNode pool = write_pool(layer, method, read_pool_windows(layer.spec, options, x));
  if (!has_mask) return layer.last(pool.type, pool.inputs, pool.attributes);
  // MaxPool counts pixels through all planes.
  const std::vector<std::string> made = layer.before(2, pool.type, pool.inputs, pool.attributes);
  const std::string pixel = layer.before("Mod", {made[1], layer.integers("plane", {x[2] * x[3]})});
  layer.make(0, "Identity", {made[0]});
  layer.make(1, "Cast", {pixel}, {{"to", kOnnxFloat}});
}

OREPA_LAYER(Pooling,
            "MAX, AVE or STOCHASTIC over windows, or over the whole image (global_pooling)")
    .keeps_channels()
    .linear({LinearRole::Kind::kOther, linear_shape, read_map})
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
