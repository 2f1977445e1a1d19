#include <cmath>
#include <numeric>

#include "orepa/layer.h"
#include "orepa/onnx_layer.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

// Memory as rows that have one norm each, with channels innermost: a pixel's channels, or a sample.
struct Rows {
  int64_t rows = 1, columns = 1, channels = 1;
  bool shared = false;  // one scale for all channels
  OREPA_HD int64_t scale(int64_t j) const { return shared ? 0 : j % channels; }
};

struct Square {
  Rows in;
  const float* x;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const float value = x[r * in.columns + j];
    return value * value;
  }
};

struct Norm {
  float eps;
  float* norm;
  OREPA_HD void operator()(int64_t r) const { norm[r] = sqrtf(norm[r] + eps); }
};

struct Forward {
  Rows in;
  const float *x, *norm, *scale;
  float* y;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * in.columns + j;
    y[i] = x[i] / norm[r] * scale[in.scale(j)];
  }
};

// The gradient of x / norm, times x / norm.
struct Share {
  Rows in;
  const float *x, *dy, *norm, *scale;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const int64_t i = r * in.columns + j;
    return dy[i] * scale[in.scale(j)] * x[i] / norm[r];
  }
};

struct InputGradient {
  Rows in;
  const float *x, *dy, *norm, *scale, *share;
  float* dx;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * in.columns + j;
    dx[i] = (dy[i] * scale[in.scale(j)] - x[i] / norm[r] * share[r]) / norm[r];
  }
};

// Pixel p, channel c.
struct ScaleGradient {
  Rows in;
  const float *x, *dy, *norm;
  OREPA_HD float operator()(int64_t p, int64_t c) const {
    const int64_t i = p * in.channels + c;
    return dy[i] * x[i] / norm[i / in.columns];
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
    pixels_ = x.count() / x[1];
    in_.rows = options.flag("across_spatial") ? x[0] : pixels_;
    in_.columns = x.count() / in_.rows;
    in_.channels = x[1];
    in_.shared = options.flag("channel_shared");
    scale_ = setup.parameter("scale", in_.shared ? Shape{} : Shape{x[1]},
                             Filler::from(options, "scale_filler", Filler::constant(1)));
    norm_ = setup.saved(in_.rows * int64_t{sizeof(float)});
    share_ = setup.scratch(Stage::kBackward, in_.rows * int64_t{sizeof(float)});
    partial_ = setup.scratch(Stage::kBackward, reduce_columns_scratch(pixels_, x[1]));
    if (in_.shared) of_channels_ = setup.scratch(Stage::kBackward, x[1] * int64_t{sizeof(float)});
    setup.backward_reads_input(0);
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {x};
  }

  void forward(Pass& pass) override {
    const float* x = pass.input(0).floats();
    float* norm = pass.floats(norm_);
    reduce_rows(pass.device(), in_.rows, in_.columns, Square{in_, x}, norm);
    parallel_for(pass.device(), in_.rows, Norm{eps_, norm});
    parallel_rows(pass.device(), in_.rows, in_.columns,
                  Forward{in_, x, norm, pass.parameter(scale_).floats(), pass.output(0).floats()});
  }

  void backward(Pass& pass) override {
    const float *x = pass.input(0).floats(), *dy = pass.output_gradient(0).floats();
    const float *norm = pass.floats(norm_), *scale = pass.parameter(scale_).floats();
    if (const Tensor dscale = pass.gradient(scale_))
      add_up(pass, ScaleGradient{in_, x, dy, norm}, dscale.floats());
    const Tensor dx = pass.input_gradient(0);
    if (!dx) return;
    float* share = pass.floats(share_);
    reduce_rows(pass.device(), in_.rows, in_.columns, Share{in_, x, dy, norm, scale}, share);
    parallel_rows(pass.device(), in_.rows, in_.columns,
                  InputGradient{in_, x, dy, norm, scale, share, dx.floats()});
  }

 private:
  void add_up(Pass& pass, const ScaleGradient& terms, float* dscale) const {
    const bool accumulates = pass.accumulates(scale_);
    float* channels = in_.shared ? pass.floats(of_channels_) : dscale;
    reduce_columns(pass.device(), pixels_, in_.channels, terms, channels,
                   !in_.shared && accumulates, pass.floats(partial_));
    if (in_.shared)
      reduce_rows(pass.device(), 1, in_.channels, Term{channels}, dscale, accumulates);
  }

  Rows in_;
  int64_t pixels_ = 0;
  float eps_ = 0;
  Handle scale_ = -1, norm_ = -1, share_ = -1, partial_ = -1, of_channels_ = -1;
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
