#include "layers/batch_norm.h"

#include <cmath>

#include "layers/arithmetic.h"
#include "layers/linear.h"
#include "layers/shared_batch_norm.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// r = 1 / (1 + f n); running += r (batch - running); the variance unbiased. Starting at n = 1 / (1
// - f) this is the plain moving average with share 1 - f; starting at 0 it is Caffe's average over
// all batches so far.
struct Average {
  const float *mean, *variance;  // of the batch, biased
  const float* factor;
  float fraction, unbiased;
  float *running_mean, *running_variance;
  OREPA_HD void operator()(int64_t c) const {
    const float r = 1 / (1 + fraction * factor[0]);
    running_mean[c] += r * (mean[c] - running_mean[c]);
    running_variance[c] += r * (unbiased * variance[c] - running_variance[c]);
  }
};

struct NextFactor {
  float fraction;
  float* factor;
  OREPA_HD void operator()(int64_t) const { factor[0] = 1 + fraction * factor[0]; }
};

// Gradients where the statistics are given numbers: y = (x - mean) / sqrt(variance + eps) * scale +
// shift.
struct Given {
  AxisView view;  // of the channels
  Numbers x, y, dy;
  const float *mean, *variance, *scale;
  float eps;
  bool relu;
  OREPA_HD float open(int64_t i) const { return relu && !(y[i] > 0) ? 0.0f : dy[i]; }
  OREPA_HD int64_t channel(int64_t i) const { return i / view.inner % view.extent; }
  OREPA_HD float inverse(int64_t c) const { return 1 / sqrtf(variance[c] + eps); }
};
struct GivenInputGradient {
  Given given;
  Numbers dx;
  OREPA_HD void operator()(int64_t i) const {
    const int64_t c = given.channel(i);
    dx.set(i, given.open(i) * given.inverse(c) * (given.scale == nullptr ? 1.0f : given.scale[c]));
  }
};
struct GivenScaleGradient {
  Given given;
  bool shift;
  OREPA_HD float operator()(int64_t c, int64_t k) const {
    const int64_t i = given.view.position(k, c);
    return given.open(i) * (shift ? 1.0f : (given.x[i] - given.mean[c]) * given.inverse(c));
  }
};

float* data(Pass& pass, Handle handle) {
  return handle < 0 ? nullptr : pass.parameter(handle).floats();
}

void deliver(Pass& pass, Handle handle, const float* gradient) {
  if (handle < 0) return;
  const Tensor to = pass.gradient(handle);
  if (!to) return;
  if (pass.accumulates(handle))
    parallel_for(pass.device(), to.count(), AddTo{gradient, to.floats()});
  else
    pass.device().copy(to.data, gradient, to.bytes());
}

}  // namespace

void BatchNorm::declare(Setup& setup) {
  const Options options = setup.options().message("batch_norm_param");
  const Shape& x = setup.input(0);
  setup.require(x.rank() >= 2, "bottom must have channels on axis 1, got ", x.str());
  view_ = AxisView::of(x, 1);
  fraction_ = static_cast<float>(options.number("moving_average_fraction"));
  setup.require(fraction_ >= 0 && fraction_ < 1, "moving_average_fraction must lie in [0, 1), got ",
                fraction_);
  eps_ = static_cast<float>(options.number("eps"));
  setup.require(eps_ > 0, "eps must be positive, got ", eps_);
  given_ = options.has("use_global_stats") ? options.flag("use_global_stats")
                                           : setup.phase() == Phase::kTest;
  const Shape channels{x[1]};
  const bool caffe = options.flag("caffe_averaging");
  mean_ = setup.buffer("mean", channels, Filler::constant(0));
  variance_ = setup.buffer("variance", channels, Filler::constant(1));
  factor_ = setup.buffer("factor", {1}, Filler::constant(caffe ? 0 : 1 / (1 - double{fraction_})));
  declare_affine(setup, channels);
  const auto all = [&](float value) {
    return setup.constant(channels, [=] { return std::vector<float>(channels.count(), value); });
  };
  if (scale_ < 0) ones_ = all(1);
  if (shift_ < 0) zeros_ = all(0);
  // With Scale and ReLU behind it absorbed, see engine/fuse.h.
  type_ = setup.takes_bfloat16();
  BatchNormGeometry geometry{x, eps_, setup.absorbed("ReLU") != nullptr, !given_, type_};
  relu_ = geometry.relu;
  const bool shared = !given_ && setup.ranks() != nullptr && setup.sync_statistics();
  plan_ = shared ? shared_batch_norm(setup.device(), *setup.ranks(), geometry, setup.rows())
                 : setup.device().batch_norm(geometry);
  values_ = view_.positions();
  if (shared) values_ = values_ / setup.rows().count * setup.rows().whole;
  forward_workspace_ = setup.scratch(Stage::kForward, plan_->forward_workspace());
  if (!given_) {
    batch_mean_ = setup.saved(channels.bytes());
    batch_variance_ = setup.saved(channels.bytes());
    saved_ = setup.saved(plan_->saved_bytes());
    if (setup.backward()) {
      backward_workspace_ = setup.scratch(Stage::kBackward, plan_->backward_workspace());
      scale_gradient_ = setup.scratch(Stage::kBackward, channels.bytes());
      shift_gradient_ = setup.scratch(Stage::kBackward, channels.bytes());
      if (!setup.input_gradient(0)) unwanted_ = setup.scratch(Stage::kBackward, x.bytes(type_));
    }
  } else if (relu_) {
    setup.backward_reads_output(0);
  }
  if (!given_ || scale_ >= 0) setup.backward_reads_input(0);
}

void BatchNorm::declare_affine(Setup& setup, const Shape& channels) {
  const LayerSpec* scale = setup.absorbed("Scale");
  if (scale == nullptr) return;
  const Options options = scale->options.message("scale_param");
  scale_ = setup.parameter("scale", channels, Filler::from(options, "filler", Filler::constant(1)),
                           scale);
  if (options.flag("bias_term"))
    shift_ = setup.parameter("bias", channels,
                             Filler::from(options, "bias_filler", Filler::constant(0)), scale);
}

const float* BatchNorm::scale(Pass& pass) const {
  return scale_ < 0 ? pass.floats(ones_) : pass.parameter(scale_).floats();
}

const float* BatchNorm::shift(Pass& pass) const {
  return shift_ < 0 ? pass.floats(zeros_) : pass.parameter(shift_).floats();
}

void BatchNorm::normalize(Pass& pass, const Tensor& y) {
  const void* x = pass.input(0).data;
  const Tensor mean = pass.parameter(mean_), variance = pass.parameter(variance_);
  if (given_)
    return plan_->normalize(x, scale(pass), shift(pass), mean.floats(), variance.floats(), y.data,
                            pass.memory(forward_workspace_));
  float *batch_mean = pass.floats(batch_mean_), *batch_variance = pass.floats(batch_variance_);
  plan_->forward(x, scale(pass), shift(pass), y.data, batch_mean, batch_variance,
                 pass.memory(saved_), pass.memory(forward_workspace_));
  const float unbiased = values_ > 1 ? static_cast<float>(values_) / (values_ - 1) : 1.0f;
  float* factor = pass.parameter(factor_).floats();
  parallel_for(pass.device(), view_.extent,
               Average{batch_mean, batch_variance, factor, fraction_, unbiased, mean.floats(),
                       variance.floats()});
  parallel_for(pass.device(), 1, NextFactor{fraction_, factor});
}

void BatchNorm::propagate(Pass& pass, const Tensor& dy) {
  if (given_) return propagate_given(pass, dy);
  const Tensor dx = pass.input_gradient(0);
  float *dscale = pass.floats(scale_gradient_), *dshift = pass.floats(shift_gradient_);
  plan_->backward(pass.input(0).data, dy.data, scale(pass), pass.floats(batch_mean_),
                  pass.floats(batch_variance_), pass.memory(saved_),
                  dx ? dx.data : pass.memory(unwanted_), dscale, dshift,
                  pass.memory(backward_workspace_));
  deliver(pass, scale_, dscale);
  deliver(pass, shift_, dshift);
}

void BatchNorm::propagate_given(Pass& pass, const Tensor& dy) {
  const Given given{view_,
                    pass.input(0),
                    pass.output(0),
                    dy,
                    data(pass, mean_),
                    data(pass, variance_),
                    data(pass, scale_),
                    eps_,
                    relu_};
  for (const Handle handle : {scale_, shift_})
    if (handle >= 0)
      if (const Tensor gradient = pass.gradient(handle))
        reduce_rows(pass.device(), view_.extent, view_.positions(),
                    GivenScaleGradient{given, handle == shift_}, gradient.floats(),
                    pass.accumulates(handle));
  if (const Tensor dx = pass.input_gradient(0))
    parallel_for(pass.device(), dx.count(), GivenInputGradient{given, dx});
}

std::optional<LinearShape> normalisation_shape(const LayerSpec& spec, const Shape& input) {
  const Options options = spec.options.message("batch_norm_param");
  if (options.has("use_global_stats") && !options.flag("use_global_stats")) return std::nullopt;
  LinearShape shape = LinearShape::identity(input[1]);
  shape.biased = true;
  return shape;
}

void normalise(const LayerSpec& spec, const Parameters& parameters, LinearMap& map) {
  const std::vector<double> mean = read_numbers(parameters, spec, "mean");
  const std::vector<double> variance = read_numbers(parameters, spec, "variance");
  const double eps = spec.options.message("batch_norm_param").number("eps");
  for (int64_t c = 0; c < map.outputs; ++c) {
    map.kernel[c] /= std::sqrt(variance[c] + eps);
    map.bias[c] -= mean[c] * map.kernel[c];
  }
}

namespace {

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  return normalisation_shape(spec, input);
}

void read_map(const LayerSpec& spec, const Parameters& parameters, LinearMap& map) {
  map.kernel.assign(map.kernel.size(), 1.0);
  normalise(spec, parameters, map);
}

void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("batch_norm_param");
  require(!options.has("use_global_stats") || options.flag("use_global_stats"),
          layer.spec.where("batch_norm_param"),
          "normalises by the batch's own statistics, which no inference runtime does; leave "
          "use_global_stats out");
  const Shape channels{layer.input_shapes[0][1]};
  const auto all = [&](float value) { return std::vector<float>(channels.count(), value); };
  layer.last("BatchNormalization",
             {layer.inputs[0], layer.constant("scale", channels, all(1)),
              layer.constant("bias", channels, all(0)), layer.parameter("mean"),
              layer.parameter("variance")},
             {{"epsilon", static_cast<float>(options.number("eps"))}});
}

}  // namespace

OREPA_LAYER(BatchNorm, "normalises channels by the batch's statistics, in TEST by running ones")
    .keeps_channels()
    .linear({LinearRole::Kind::kNormalisation, linear_shape, read_map})
    .onnx(write_onnx);

}  // namespace orepa
