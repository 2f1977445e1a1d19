#include <limits>

#include "layers/taps.h"
#include "layers/window.h"

namespace orepa {
namespace {

// Row r is a window: of channel c and tap (a, b) it has number c kh kw + a kw + b.
struct Columns {
  Taps h, w;
  int64_t channels;
  const float* x;
  float* y;

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const int64_t taps = h.size * w.size, n = r / w.out / h.out;
    const int64_t oh = r / w.out % h.out, ow = r % w.out;
    for (int64_t a = 0; a < h.size; ++a) {
      const int64_t i = h.pixel(oh, a);
      const float* row = x + (h.is_inside(i) ? (n * h.in + i) * w.in * channels : 0);
      float* window = y + r * channels * taps + a * w.size;
      for (int64_t c = team.first(); c < channels; c += team.step())
        for (int64_t b = 0; b < w.size; ++b) {
          const int64_t k = w.pixel(ow, b);
          const bool inside = h.is_inside(i) && w.is_inside(k);
          window[c * taps + b] = inside ? row[k * channels + c] : 0.0f;
        }
    }
  }
};

// Row r is a pixel of x.
struct PixelGradient {
  static constexpr int64_t kColumns = 64;  // channels that are summed at once
  Taps h, w;
  int64_t channels;
  const float* dy;
  float* dx;

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    for (int64_t begin = 0; begin < channels; begin += kColumns)
      sum(r, begin, channels - begin < kColumns ? channels - begin : kColumns, team);
  }

 private:
  template <class Team>
  OREPA_HD void sum(int64_t r, int64_t begin, int64_t columns, Team team) const {
    const int64_t n = r / w.in / h.in, i = r / w.in % h.in, k = r % w.in;
    const int64_t taps = h.size * w.size;
    float sums[kColumns];
    for (int64_t c = team.first(); c < columns; c += team.step()) sums[c] = 0;
    for (int64_t a = 0; a < h.size; ++a)
      for (int64_t b = 0; b < w.size; ++b) {
        const int64_t oh = h.window(i, a), ow = w.window(k, b);
        if (oh < 0 || ow < 0) continue;
        const int64_t window = (n * h.out + oh) * w.out + ow;
        const float* number = dy + (window * channels + begin) * taps + a * w.size + b;
        for (int64_t c = team.first(); c < columns; c += team.step()) sums[c] += number[c * taps];
      }
    float* pixel = dx + r * channels + begin;
    for (int64_t c = team.first(); c < columns; c += team.step()) pixel[c] = sums[c];
  }
};

class Im2col : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    const int64_t axis = setup.options().message("convolution_param").integer("axis");
    setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
    setup.require(axis == 1, "axis must be 1, got ", axis);
    const ConvolutionWindows windows = read_windows(setup, 1);
    const auto taps = [&](int axis) {
      Taps along{x[2 + axis],          1,
                 windows.kernel[axis], windows.stride[axis],
                 windows.pad[axis],    windows.dilation[axis]};
      const int64_t room = along.in + 2 * along.pad - along.dilation * (along.size - 1) - 1;
      setup.require(room >= 0, "the kernel ", windows.kernel[0], " x ", windows.kernel[1],
                    " (dilated) is larger than the padded bottom ", x.str());
      along.out = room / along.stride + 1;
      return along;
    };
    h_ = taps(0);
    w_ = taps(1);
    const Shape columns{x[1], h_.size, w_.size};
    setup.require(columns.fits(std::numeric_limits<int64_t>::max()), "a window would be ",
                  columns.str());
    return {{x[0], columns.count(), h_.out, w_.out}};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0), y = pass.output(0);
    parallel_teams(pass.device(), y.count() / y.shape[1],
                   Columns{h_, w_, x.shape[1], x.floats(), y.floats()});
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    const int64_t channels = dx.shape[1];
    parallel_teams(pass.device(), dx.count() / channels,
                   PixelGradient{h_, w_, channels, pass.output_gradient(0).floats(), dx.floats()});
  }

 private:
  Taps h_{}, w_{};
};

OREPA_LAYER(Im2col, "the windows of a convolution, each as channels x height x width channels");

}  // namespace
}  // namespace orepa
