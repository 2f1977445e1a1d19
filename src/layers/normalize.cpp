#include <cmath>
#include <numeric>

#include "orepa/layer.h"
#include "orepa/onnx_layer.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

// Memory as pixels of channels; those of one norm lie one behind another.
struct Pixels {
  int64_t pixels = 1, channels = 1;
  int64_t of_norm = 1;  // pixels of a norm: 1, or those of a sample
  bool shared = false;  // one scale for all channels
  int64_t norms() const { return pixels / of_norm; }
  OREPA_HD int64_t scale_step() const { return shared ? 0 : 1; }
};

struct Square {
  int64_t columns;
  const float* x;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const float value = x[r * columns + j];
    return value * value;
  }
};

// Of a sum of squares.
struct Invert {
  float eps;
  float* inverse;
  OREPA_HD void operator()(int64_t r) const { inverse[r] = 1 / sqrtf(inverse[r] + eps); }
};

// Pixel p, channel c.
struct Forward {
  Pixels in;
  const float *x, *inverse, *scale;
  float* y;
  OREPA_HD void operator()(int64_t p, int64_t c) const {
    const int64_t i = p * in.channels + c;
    y[i] = x[i] * inverse[p / in.of_norm] * scale[c * in.scale_step()];
  }
};

// The gradient of x / norm, times x / norm.
struct Share {
  Pixels in;
  const float *x, *dy, *inverse, *scale;
  OREPA_HD float operator()(int64_t p, int64_t c) const {
    const int64_t i = p * in.channels + c;
    return dy[i] * scale[c * in.scale_step()] * x[i] * inverse[p / in.of_norm];
  }
};

struct ShareOfPixel {
  const float* share;
  int64_t of_norm;
  OREPA_HD float operator()(int64_t r, int64_t p) const { return share[r * of_norm + p]; }
};

struct InputGradient {
  Pixels in;
  const float *x, *dy, *inverse, *scale, *share;
  float* dx;
  OREPA_HD void operator()(int64_t p, int64_t c) const {
    const int64_t i = p * in.channels + c, r = p / in.of_norm;
    dx[i] = (dy[i] * scale[c * in.scale_step()] - x[i] * inverse[r] * share[r]) * inverse[r];
  }
};

struct ScaleGradient {
  Pixels in;
  const float *x, *dy, *inverse;
  OREPA_HD float operator()(int64_t p, int64_t c) const {
    const int64_t i = p * in.channels + c;
    return dy[i] * x[i] * inverse[p / in.of_norm];
  }
};

struct Term {
  const float* term;
  OREPA_HD float operator()(int64_t, int64_t j) const { return term[j]; }
};

class Normalize : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("norm_param");
    const Shape& x = setup.input(0);
    setup.require(x.rank() == 4 || x.rank() == 2, "bottom must be N x C x H x W or N x C, got ",
                  x.str());
    eps_ = static_cast<float>(options.number("eps"));
    setup.require(eps_ > 0, "eps must be positive, got ", eps_);
    in_.pixels = x.count() / x[1];
    in_.channels = x[1];
    in_.of_norm = options.flag("across_spatial") ? in_.pixels / x[0] : 1;
    in_.shared = options.flag("channel_shared");
    scale_ = setup.parameter("scale", in_.shared ? Shape{} : Shape{x[1]},
                             Filler::from(options, "scale_filler", Filler::constant(1)));
    inverse_ = setup.saved(in_.norms() * int64_t{sizeof(float)});
    share_ = setup.scratch(Stage::kBackward, in_.norms() * int64_t{sizeof(float)});
    if (in_.of_norm > 1)
      of_pixels_ = setup.scratch(Stage::kBackward, in_.pixels * int64_t{sizeof(float)});
    partial_ = setup.scratch(Stage::kBackward, reduce_columns_scratch(in_.pixels, x[1]));
    if (in_.shared) of_channels_ = setup.scratch(Stage::kBackward, x[1] * int64_t{sizeof(float)});
    setup.backward_reads_input(0);
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {x};
  }

  void forward(Pass& pass) override {
    const float* x = pass.input(0).floats();
    float* inverse = pass.floats(inverse_);
    const int64_t columns = in_.of_norm * in_.channels;
    reduce_rows(pass.device(), in_.norms(), columns, Square{columns, x}, inverse);
    parallel_for(pass.device(), in_.norms(), Invert{eps_, inverse});
    parallel_rows(
        pass.device(), in_.pixels, in_.channels,
        Forward{in_, x, inverse, pass.parameter(scale_).floats(), pass.output(0).floats()});
  }

  void backward(Pass& pass) override {
    const float *x = pass.input(0).floats(), *dy = pass.output_gradient(0).floats();
    const float *inverse = pass.floats(inverse_), *scale = pass.parameter(scale_).floats();
    if (const Tensor dscale = pass.gradient(scale_))
      add_up(pass, ScaleGradient{in_, x, dy, inverse}, dscale.floats());
    const Tensor dx = pass.input_gradient(0);
    if (!dx) return;
    float *share = pass.floats(share_),
          *of_pixels = of_pixels_ < 0 ? share : pass.floats(of_pixels_);
    reduce_rows(pass.device(), in_.pixels, in_.channels, Share{in_, x, dy, inverse, scale},
                of_pixels);
    if (of_pixels_ >= 0)
      reduce_rows(pass.device(), in_.norms(), in_.of_norm, ShareOfPixel{of_pixels, in_.of_norm},
                  share);
    parallel_rows(pass.device(), in_.pixels, in_.channels,
                  InputGradient{in_, x, dy, inverse, scale, share, dx.floats()});
  }

 private:
  void add_up(Pass& pass, const ScaleGradient& terms, float* dscale) const {
    const bool accumulates = pass.accumulates(scale_);
    float* channels = in_.shared ? pass.floats(of_channels_) : dscale;
    reduce_columns(pass.device(), in_.pixels, in_.channels, terms, channels,
                   !in_.shared && accumulates, pass.floats(partial_));
    if (in_.shared)
      reduce_rows(pass.device(), 1, in_.channels, Term{channels}, dscale, accumulates);
  }

  Pixels in_;
  float eps_ = 0;
  Handle scale_ = -1, inverse_ = -1, share_ = -1, partial_ = -1, of_pixels_ = -1, of_channels_ = -1;
};

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("norm_param");
  const Shape& x = layer.input_shapes[0];
  std::vector<int64_t> axes{1}, extents(static_cast<size_t>(x.rank() - 1), 1);
  if (options.flag("across_spatial")) {
    axes.resize(extents.size());
    std::iota(axes.begin(), axes.end(), 1);
  }
  if (!options.flag("channel_shared")) extents[0] = x[1];
  const auto eps = static_cast<float>(options.number("eps"));
  const std::string squares = layer.before("ReduceSumSquare", {layer.inputs[0]}, {{"axes", axes}});
  const std::string norm =
      layer.before("Sqrt", {layer.before("Add", {squares, layer.constant("eps", {1}, {eps})})});
  layer.last("Mul", {layer.before("Div", {layer.inputs[0], norm}),
                     layer.parameter("scale", Shape(extents))});
}

OREPA_LAYER(Normalize, "divides by the norm over channels, or over a sample, times a learned scale")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
