#include <algorithm>

#include "layers/pool_windows.h"
#include "layers/window.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// Caffe's output extent: rounded up by default; where there is padding, a last window that would
// start beyond the image and its left padding is dropped.
int64_t output_extent(int64_t in, int64_t kernel, int64_t stride, int64_t pad, bool ceil,
                      bool padded) {
  const int64_t room = in + 2 * pad - kernel;
  int64_t out = (ceil ? (room + stride - 1) / stride : room / stride) + 1;
  if (padded && (out - 1) * stride >= in + pad) --out;
  return out;
}

class Pooling : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("pooling_param");
    const Shape& x = setup.input(0);
    setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
    const std::string method = options.choice("pool");
    setup.require(method != "STOCHASTIC", "pool: STOCHASTIC is not offered; use MAX or AVE");
    PoolingGeometry g;
    g.input = x;
    g.method = method == "MAX" ? PoolingGeometry::Method::kMax : PoolingGeometry::Method::kAverage;
    g.type = setup.takes_bfloat16();
    g.training = setup.backward();
    if (options.flag("global_pooling")) {
      for (const char* field : {"kernel_size", "kernel_h", "kernel_w"})
        setup.require(!options.has(field), "global_pooling takes the whole image: leave ", field,
                      " out");
      const Pair pad = read_pair(setup.spec(), options, "pad", "pad", 0);
      const Pair stride = read_pair(setup.spec(), options, "stride", "stride", 1);
      setup.require(pad == Pair{0, 0} && stride == Pair{1, 1},
                    "global_pooling takes no pad and no stride, got pad ", pad[0], " x ", pad[1],
                    " and stride ", stride[0], " x ", stride[1]);
      g.kernel = {x[2], x[3]};
      g.output = {x[0], x[1], 1, 1};
    } else {
      read_windows(setup, options, g);
    }
    plan_ = setup.device().pooling(g);
    if (setup.backward()) {
      saved_ = setup.saved(plan_->saved_bytes());
      workspace_ = setup.scratch(Stage::kBackward, plan_->backward_workspace());
    }
    return {g.output};
  }
  void forward(Pass& pass) override {
    plan_->forward(pass.input(0).data, pass.output(0).data,
                   saved_ < 0 ? nullptr : pass.memory(saved_));
  }
  void backward(Pass& pass) override {
    plan_->backward(pass.output_gradient(0).data, pass.memory(saved_), pass.input_gradient(0).data,
                    pass.memory(workspace_));
  }

 private:
  static void read_windows(const Setup& setup, const Options& options, PoolingGeometry& g) {
    g.kernel = read_pair(setup.spec(), options, "kernel_size", "kernel", 0);
    g.stride = read_pair(setup.spec(), options, "stride", "stride", 1);
    g.pad = read_pair(setup.spec(), options, "pad", "pad", 0);
    const bool ceil = options.choice("round_mode") == "CEIL";
    const bool padded = g.pad[0] > 0 || g.pad[1] > 0;
    std::vector<int64_t> extents = {g.input[0], g.input[1]};
    for (int axis = 0; axis < 2; ++axis) {
      const int64_t in = g.input[2 + axis], kernel = g.kernel[axis], pad = g.pad[axis];
      setup.require(kernel > 0, "kernel_size must be positive, got ", kernel);
      setup.require(g.stride[axis] > 0, "stride must be positive, got ", g.stride[axis]);
      setup.require(pad < kernel, "pad must be smaller than the kernel ", kernel, ", got ", pad);
      setup.require(kernel <= in + 2 * pad, "the kernel ", kernel,
                    " is larger than the padded bottom ", g.input.str());
      extents.push_back(output_extent(in, kernel, g.stride[axis], pad, ceil, padded));
      setup.require((extents.back() - 1) * g.stride[axis] < in + pad,
                    "the last window would lie wholly outside the bottom ", g.input.str(),
                    "; use round_mode: FLOOR or a stride no larger than the kernel");
    }
    g.output = Shape(std::move(extents));
  }

  std::shared_ptr<PoolingPlan> plan_;
  Handle saved_ = -1, workspace_ = -1;
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
  const bool max = options.choice("pool") == "MAX";
  if (options.flag("global_pooling"))
    return layer.last(max ? "GlobalMaxPool" : "GlobalAveragePool", layer.inputs);
  const Pair kernel = read_pair(layer.spec, options, "kernel_size", "kernel", 0);
  const Pair stride = read_pair(layer.spec, options, "stride", "stride", 1);
  const Pair pad = read_pair(layer.spec, options, "pad", "pad", 0);
  const Shape &x = layer.input_shapes[0], &y = layer.output_shape;
  const PoolWindows rows{x[2], y[2], kernel[0], stride[0], pad[0]};
  const PoolWindows columns{x[3], y[3], kernel[1], stride[1], pad[1]};
  const std::vector<OnnxAttribute> attributes{
      {"kernel_shape", onnx_ints(kernel)},
      {"strides", onnx_ints(stride)},
      {"pads", std::vector<int64_t>{pad[0], pad[1], rows.end_pad(), columns.end_pad()}}};
  if (max) return layer.last("MaxPool", layer.inputs, attributes);

  const std::vector<float> factors = mean_factors(rows, columns);
  if (std::all_of(factors.begin(), factors.end(), [](float factor) { return factor == 1; }))
    return layer.last("AveragePool", layer.inputs, attributes);
  std::vector<float> all;  // of every channel: OpenCV 4.6 spreads numbers over the batch alone
  for (int64_t c = 0; c < y[1]; ++c) all.insert(all.end(), factors.begin(), factors.end());
  layer.last("Mul", {layer.before("AveragePool", layer.inputs, attributes),
                     layer.constant("counted", {y[1], y[2], y[3]}, all)});
}

OREPA_LAYER(Pooling, "MAX or AVE over windows, or over the whole image (global_pooling)")
    .keeps_channels()
    .linear({LinearRole::Kind::kOther, linear_shape, read_map})
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
