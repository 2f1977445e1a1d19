#include <algorithm>
#include <cmath>

#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// What stands around a number, itself in the middle: either side is odd.

// The same pixel's numbers of other channels.
struct Channels {
  int64_t channels, side;

  OREPA_HD int64_t count() const { return side; }
  // Whether channel c of pixel r has its n-th neighbour, and where that stands.
  OREPA_HD bool has(int64_t, int64_t n, int64_t c) const {
    const int64_t channel = c + n - side / 2;
    return channel >= 0 && channel < channels;
  }
  OREPA_HD int64_t position(int64_t r, int64_t n, int64_t c) const {
    return r * channels + c + n - side / 2;
  }
};

// Other pixels' numbers of the same channel.
struct Pixels {
  int64_t height, width, channels, side;

  OREPA_HD int64_t count() const { return side * side; }
  OREPA_HD bool has(int64_t r, int64_t n, int64_t) const {
    const int64_t w = r % width + right(n), h = r / width % height + down(n);
    return w >= 0 && w < width && h >= 0 && h < height;
  }
  OREPA_HD int64_t position(int64_t r, int64_t n, int64_t c) const {
    return (r + down(n) * width + right(n)) * channels + c;
  }
  OREPA_HD int64_t right(int64_t n) const { return n % side - side / 2; }
  OREPA_HD int64_t down(int64_t n) const { return n / side - side / 2; }
};

// scale ^ -beta: one that everybody uses, which is much faster, and any. Either has a type of its
// own, for GCC makes no vectors of a loop that may go both ways.
struct ThreeQuarters {
  OREPA_HD float operator()(float scale) const { return 1 / sqrtf(scale * sqrtf(scale)); }
};
struct AnyPower {
  float beta;
  OREPA_HD float operator()(float scale) const { return powf(scale, -beta); }
};

// y = x * scale ^ -beta, with scale = k + alpha * the sum of squares around x.
struct Formula {
  float k, alpha, beta;
};

// For contract_rows().
template <class Around, class Power>
struct Forward {
  Around around;
  Power power;
  Formula formula;
  Numbers x;
  float* scale;
  Numbers y;
  OREPA_HD int64_t terms(int64_t) const { return around.count(); }
  OREPA_HD float term(int64_t r, int64_t n, int64_t c) const {
    const float value = around.has(r, n, c) ? x[around.position(r, n, c)] : 0.0f;
    return value * value;
  }
  OREPA_HD void result(int64_t r, int64_t c, float sum) const {
    const int64_t i = r * around.channels + c;
    scale[i] = formula.k + formula.alpha * sum;
    y.set(i, x[i] * power(scale[i]));
  }
};

// dy * y / scale: what the neighbours of y's x read of it.
template <class Power>
struct Ratio {
  Power power;
  Numbers x, dy;
  const float* scale;
  float* ratio;
  OREPA_HD void operator()(int64_t i) const {
    ratio[i] = dy[i] * x[i] * power(scale[i]) / scale[i];
  }
};

// dx = dy * scale ^ -beta - 2 * alpha * beta * x * the sum of the ratios around x
template <class Around, class Power>
struct Backward {
  Around around;
  Power power;
  Formula formula;
  Numbers x, dy;
  const float *scale, *ratio;
  Numbers dx;
  OREPA_HD int64_t terms(int64_t) const { return around.count(); }
  OREPA_HD float term(int64_t r, int64_t n, int64_t c) const {
    return around.has(r, n, c) ? ratio[around.position(r, n, c)] : 0.0f;
  }
  OREPA_HD void result(int64_t r, int64_t c, float sum) const {
    const int64_t i = r * around.channels + c;
    dx.set(i, dy[i] * power(scale[i]) - 2 * formula.alpha * formula.beta * x[i] * sum);
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
  Channels channels(const Shape& x) const { return {x[1], std::min(size, 2 * x[1] - 1)}; }
  Pixels pixels(const Shape& x) const {
    return {x[2], x[3], x[1], std::min(size, 2 * std::max(x[2], x[3]) - 1)};
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
    within_channel_ = statement.within_channel;
    channels_ = statement.channels(x);
    pixels_ = statement.pixels(x);
    const int64_t bytes = x.count() * int64_t{sizeof(float)};
    scale_ = setup.saved(bytes);
    ratio_ = setup.scratch(Stage::kBackward, bytes);
    setup.backward_reads_input(0);
    setup.input_gradient_may_overwrite(0);
    return {x};
  }

  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    run(pass.device(), x, [&](const auto& around, const auto& power) {
      return Forward{around, power, formula_, x, pass.floats(scale_), pass.output(0)};
    });
  }

  void backward(Pass& pass) override {
    const Tensor x = pass.input(0), dy = pass.output_gradient(0);
    const float* scale = pass.floats(scale_);
    float* ratio = pass.floats(ratio_);
    run(pass.device(), x, [&](const auto& around, const auto& power) {
      parallel_for(pass.device(), x.count(), Ratio{power, x, dy, scale, ratio});
      return Backward{around, power, formula_, x, dy, scale, ratio, pass.input_gradient(0)};
    });
  }

 private:
  // Of the contraction that `sums(around, power)` returns.
  template <class Sums>
  void run(Device& device, const Tensor& x, Sums sums) const {
    const auto of_power = [&](const auto& power) {
      const int64_t channels = channels_.channels, pixels = x.count() / channels;
      if (within_channel_)
        contract_rows(device, pixels, channels, sums(pixels_, power));
      else
        contract_rows(device, pixels, channels, sums(channels_, power));
    };
    if (formula_.beta == 0.75f)
      of_power(ThreeQuarters{});
    else
      of_power(AnyPower{formula_.beta});
  }

  bool within_channel_ = false;
  Channels channels_{};
  Pixels pixels_{};
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
  const Pixels around = statement.pixels(layer.input_shapes[0]);
  const int64_t channels = around.channels, side = around.side, pad = side / 2;
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
