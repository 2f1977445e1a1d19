#include <algorithm>
#include <cmath>

#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// What stands around a number: along the channels, or in its own channel's plane. Both sides are
// odd, and one of them is 1.
struct Neighbourhood {
  int64_t height = 1, width = 1, channels = 1;
  int64_t plane_side = 1, channel_side = 1;

  OREPA_HD int64_t size() const { return plane_side * plane_side * channel_side; }
  // Where the n-th neighbour of channel c of pixel r stands; -1: outside of the image.
  OREPA_HD int64_t position(int64_t r, int64_t n, int64_t c) const {
    const int64_t w = r % width, h = r / width % height;
    const int64_t channel = c + n % channel_side - channel_side / 2;
    const int64_t right = n / channel_side % plane_side - plane_side / 2;
    const int64_t down = n / channel_side / plane_side - plane_side / 2;
    const bool inside = channel >= 0 && channel < channels && w + right >= 0 && w + right < width &&
                        h + down >= 0 && h + down < height;
    return inside ? (r + down * width + right) * channels + channel : -1;
  }
};

// y = x * scale ^ -beta, with scale = k + alpha * the sum of squares around x.
struct Formula {
  float k, alpha, beta;
  OREPA_HD float factor(float scale) const {
    return beta == 0.75f ? 1 / sqrtf(scale * sqrtf(scale)) : powf(scale, -beta);
  }
};

// For contract_rows().
struct Forward {
  Neighbourhood around;
  Formula formula;
  Numbers x;
  float* scale;
  Numbers y;
  OREPA_HD int64_t terms(int64_t) const { return around.size(); }
  OREPA_HD float term(int64_t r, int64_t n, int64_t c) const {
    const int64_t at = around.position(r, n, c);
    const float value = at < 0 ? 0.0f : x[at];
    return value * value;
  }
  OREPA_HD void result(int64_t r, int64_t c, float sum) const {
    const int64_t i = r * around.channels + c;
    scale[i] = formula.k + formula.alpha * sum;
    y.set(i, x[i] * formula.factor(scale[i]));
  }
};

// dy * y / scale: what the neighbours of y's x read of it.
struct Ratio {
  Formula formula;
  Numbers x, dy;
  const float* scale;
  float* ratio;
  OREPA_HD void operator()(int64_t i) const {
    ratio[i] = dy[i] * x[i] * formula.factor(scale[i]) / scale[i];
  }
};

// dx = dy * scale ^ -beta - 2 * alpha * beta * x * the sum of the ratios around x
struct Backward {
  Neighbourhood around;
  Formula formula;
  Numbers x, dy;
  const float *scale, *ratio;
  Numbers dx;
  OREPA_HD int64_t terms(int64_t) const { return around.size(); }
  OREPA_HD float term(int64_t r, int64_t n, int64_t c) const {
    const int64_t at = around.position(r, n, c);
    return at < 0 ? 0.0f : ratio[at];
  }
  OREPA_HD void result(int64_t r, int64_t c, float sum) const {
    const int64_t i = r * around.channels + c;
    dx.set(i, dy[i] * formula.factor(scale[i]) - 2 * formula.alpha * formula.beta * x[i] * sum);
  }
};

// As the prototxt states it.
struct Statement {
  int64_t size;
  bool within_channel;
  Formula formula;

  explicit Statement(const Options& options)
      : size(options.integer("local_size")),
        within_channel(options.choice("norm_region") == "WITHIN_CHANNEL") {
    // Caffe's: the mean of the squares, and within a channel no k.
    const auto side = static_cast<double>(size);
    formula.k = within_channel ? 1 : static_cast<float>(options.number("k"));
    formula.alpha =
        static_cast<float>(options.number("alpha") / (within_channel ? side * side : side));
    formula.beta = static_cast<float>(options.number("beta"));
  }
  // What is farther away than the sides of x lies outside.
  Neighbourhood around(const Shape& x) const {
    Neighbourhood around{x[2], x[3], x[1]};
    if (within_channel)
      around.plane_side = std::min(size, 2 * std::max(x[2], x[3]) - 1);
    else
      around.channel_side = std::min(size, 2 * x[1] - 1);
    return around;
  }
};

class LRN : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
    setup.takes_bfloat16();
    const Statement statement(setup.options().message("lrn_param"));
    setup.require(statement.size % 2 == 1, "local_size must be odd, got ", statement.size);
    formula_ = statement.formula;
    around_ = statement.around(x);
    const int64_t bytes = x.count() * int64_t{sizeof(float)};
    scale_ = setup.saved(bytes);
    ratio_ = setup.scratch(Stage::kBackward, bytes);
    setup.backward_reads_input(0);
    setup.input_gradient_may_overwrite(0);
    return {x};
  }

  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    contract_rows(pass.device(), x.count() / around_.channels, around_.channels,
                  Forward{around_, formula_, x, pass.floats(scale_), pass.output(0)});
  }

  void backward(Pass& pass) override {
    const Tensor x = pass.input(0), dy = pass.output_gradient(0);
    const float* scale = pass.floats(scale_);
    float* ratio = pass.floats(ratio_);
    parallel_for(pass.device(), x.count(), Ratio{formula_, x, dy, scale, ratio});
    contract_rows(pass.device(), x.count() / around_.channels, around_.channels,
                  Backward{around_, formula_, x, dy, scale, ratio, pass.input_gradient(0)});
  }

 private:
  Neighbourhood around_;
  Formula formula_{};
  Handle scale_ = -1, ratio_ = -1;
};

// Within a channel a depthwise convolution adds up the squares.
void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("lrn_param");
  const Statement statement(options);
  const Formula& formula = statement.formula;
  const std::string& x = layer.inputs[0];
  if (!statement.within_channel)
    return layer.last("LRN", {x},
                      {{"size", statement.size},
                       {"alpha", static_cast<float>(options.number("alpha"))},
                       {"beta", formula.beta},
                       {"bias", formula.k}});
  const Neighbourhood around = statement.around(layer.input_shapes[0]);
  const int64_t channels = around.channels, side = around.plane_side, pad = side / 2;
  const Shape kernel{channels, 1, side, side};
  const std::vector<float> alphas(static_cast<size_t>(kernel.count()), formula.alpha);
  const std::string sum =
      layer.before("Conv", {layer.before("Mul", {x, x}), layer.constant("alpha", kernel, alphas)},
                   {{"group", channels},
                    {"kernel_shape", std::vector<int64_t>{side, side}},
                    {"pads", std::vector<int64_t>{pad, pad, pad, pad}}});
  const std::string scale = layer.before("Add", {sum, layer.constant("k", {1}, {formula.k})});
  layer.last("Mul",
             {x, layer.before("Pow", {scale, layer.constant("beta", {1}, {-formula.beta})})});
}

OREPA_LAYER(LRN, "local response normalisation, across channels or within each")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
