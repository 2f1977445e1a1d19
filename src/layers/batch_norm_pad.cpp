#include <cmath>

#include "layers/batch_norm.h"
#include "layers/linear.h"
#include "orepa/numbers.h"

namespace orepa {
namespace {

// The planes of a tensor stored N, H, W, C and of the same one with a border. A row of the functors
// below is a pixel, so that what depends on its place is computed once for all channels.
struct Border {
  int64_t height, width, channels, pad;  // without the border
  OREPA_HD int64_t padded_height() const { return height + 2 * pad; }
  OREPA_HD int64_t padded_width() const { return width + 2 * pad; }
};

// y[n, c, h, w] = inner[n, c, h - pad, w - pad]; outside, what x = 0 gives with the running
// statistics: shift - mean scale / sqrt(variance + eps).
struct AddBorder {
  Border border;
  Numbers inner;
  const float *mean, *variance, *scale, *shift;
  float eps;
  Numbers y;
  OREPA_HD void operator()(int64_t pixel, int64_t c) const {
    const int64_t row = pixel / border.padded_width();
    const int64_t w = pixel % border.padded_width() - border.pad;
    const int64_t h = row % border.padded_height() - border.pad;
    const int64_t n = row / border.padded_height();
    const int64_t at = pixel * border.channels + c;
    if (h >= 0 && h < border.height && w >= 0 && w < border.width)
      y.set(at, inner[((n * border.height + h) * border.width + w) * border.channels + c]);
    else
      y.set(at, shift[c] - mean[c] * scale[c] / sqrtf(variance[c] + eps));
  }
};

struct DropBorder {
  Border border;
  Numbers dy, inner;
  OREPA_HD void operator()(int64_t pixel, int64_t c) const {
    const int64_t row = pixel / border.width, w = pixel % border.width;
    const int64_t h = row % border.height, n = row / border.height;
    const int64_t padded_row = n * border.padded_height() + h + border.pad;
    const int64_t from = padded_row * border.padded_width() + w + border.pad;
    inner.set(pixel * border.channels + c, dy[from * border.channels + c]);
  }
};

// Of the Diverse Branch Block (Ding et al., CVPR 2021): a zero border of x, normalised. With the
// running statistics, as this very batch has moved them, so that a 1 x 1 convolution in front and a
// K x K behind merge into one exactly. The border is taken as given: nothing flows back from it,
// to scale and shift neither, which is why they are parameters of this layer.
class BatchNormPad : public BatchNorm {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
    declare(setup);
    const int64_t pad = setup.options().message("batch_norm_param").integer("pad");
    border_ = {x[2], x[3], x[1], pad};
    inner_ = setup.scratch(Stage::kForward, x.bytes(type_));
    if (setup.backward()) inner_gradient_ = setup.scratch(Stage::kBackward, x.bytes(type_));
    return {Shape{x[0], x[1], border_.padded_height(), border_.padded_width()}};
  }

  void forward(Pass& pass) override {
    const Tensor inner{pass.memory(inner_), pass.input(0).shape, type_};
    normalize(pass, inner);
    const Tensor y = pass.output(0);
    parallel_rows(pass.device(), y.count() / border_.channels, border_.channels,
                  AddBorder{border_, inner, pass.parameter(mean_).floats(),
                            pass.parameter(variance_).floats(), pass.parameter(scale_).floats(),
                            pass.parameter(shift_).floats(), eps_, y});
  }

  void backward(Pass& pass) override {
    const Tensor inner{pass.memory(inner_gradient_), pass.input(0).shape, type_};
    parallel_rows(pass.device(), pass.input(0).count() / border_.channels, border_.channels,
                  DropBorder{border_, pass.output_gradient(0), inner});
    propagate(pass, inner);
  }

 protected:
  void declare_affine(Setup& setup, const Shape& channels) override {
    scale_ = setup.parameter("scale", channels, Filler::constant(1));
    shift_ = setup.parameter("bias", channels, Filler::constant(0));
  }

 private:
  Border border_{};
  Handle inner_ = -1, inner_gradient_ = -1;
};

std::optional<LinearShape> linear_shape(const LayerSpec& spec, const Shape& input, const Shape&) {
  std::optional<LinearShape> shape = normalisation_shape(spec, input);
  if (shape)
    shape->axes[0].pad = shape->axes[1].pad =
        spec.options.message("batch_norm_param").integer("pad");
  return shape;
}

void read_map(const LayerSpec& spec, const Parameters& parameters, LinearMap& map) {
  map.kernel = read_numbers(parameters, spec, "scale");
  map.bias = read_numbers(parameters, spec, "bias");
  normalise(spec, parameters, map);
}

OREPA_LAYER(BatchNormPad, "BatchNorm with Scale, then a border of what a zero input gives (DBB)")
    .keeps_channels()
    .linear({LinearRole::Kind::kOther, linear_shape, read_map});

}  // namespace
}  // namespace orepa
