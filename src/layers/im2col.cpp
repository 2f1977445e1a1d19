#include <algorithm>
#include <limits>

#include "layers/arrangement.h"
#include "layers/axis.h"
#include "layers/taps.h"
#include "layers/window.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

constexpr int kMostAxes = 8;

// All axes but that of the channels: those before it, which count samples, and those of a window.
struct WindowAxes {
  struct Axis {
    Taps taps;
    int64_t from, to;  // how far apart neighbours lie in the bottom and in the top
  };
  int samples = 0, count = 0;  // of the axes before the channels, and of all
  Axis axes[kMostAxes];
  int64_t channels, from_channel, to_channel;
  int64_t lines = 1;  // of taps along the last axis

  OREPA_HD const Axis& last() const { return axes[count - 1]; }
  // Of a window, which has tap t of channel c as its number c taps() + t.
  OREPA_HD int64_t taps() const { return lines * last().taps.size; }
};

// Row r is a window.
struct Columns {
  WindowAxes windows;
  const float* x;
  float* y;

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const WindowAxes& w = windows;
    int64_t window[kMostAxes];
    const float* image = x;
    float* to = y;
    for (int a = w.count - 1; a >= 0; --a) {
      const WindowAxes::Axis& axis = w.axes[a];
      window[a] = r % axis.taps.out;
      r /= axis.taps.out;
      to += window[a] * axis.to;
      if (a < w.samples) image += window[a] * axis.from;
    }
    const Taps last = w.last().taps;
    const int64_t first = last.pixel(window[w.count - 1], 0), step = w.last().from;
    const int64_t channels = w.channels, taps = w.taps();
    const int64_t from_channel = w.from_channel, to_channel = w.to_channel;
    for (int64_t line = 0; line < w.lines; ++line, to += last.size * to_channel) {
      const float* pixels = image;
      bool has_line = true;
      int64_t rest = line;
      for (int a = w.count - 2; a >= w.samples; --a) {
        const Taps& along = w.axes[a].taps;
        const int64_t pixel = along.pixel(window[a], rest % along.size);
        rest /= along.size;
        has_line = has_line && along.is_inside(pixel);
        pixels += has_line ? pixel * w.axes[a].from : 0;
      }
      for (int64_t c = team.first(); c < channels; c += team.step()) {
        const float* from = pixels + c * from_channel;
        float* column = to + c * taps * to_channel;
        for (int64_t b = 0; b < last.size; ++b) {
          const int64_t pixel = first + b * last.dilation;
          const bool inside = has_line && last.is_inside(pixel);
          column[b * to_channel] = inside ? from[pixel * step] : 0.0f;
        }
      }
    }
  }
};

// Row r is a pixel of x.
struct PixelGradient {
  static constexpr int64_t kColumns = 64;  // channels that are summed at once
  WindowAxes windows;
  const float* dy;
  float* dx;

  template <class Team>
  OREPA_HD void operator()(int64_t r, Team team) const {
    const WindowAxes& w = windows;
    int64_t pixel[kMostAxes];
    const float* image = dy;
    float* to = dx;
    for (int a = w.count - 1; a >= 0; --a) {
      const WindowAxes::Axis& axis = w.axes[a];
      pixel[a] = r % axis.taps.in;
      r /= axis.taps.in;
      to += pixel[a] * axis.from;
      if (a < w.samples) image += pixel[a] * axis.to;
    }
    const int64_t each = w.taps() * w.to_channel;  // from a channel to the next
    for (int64_t begin = 0; begin < w.channels; begin += kColumns)
      sum(pixel, image + begin * each, to + begin * w.from_channel,
          w.channels - begin < kColumns ? w.channels - begin : kColumns, team);
  }

 private:
  template <class Team>
  OREPA_HD void sum(const int64_t* pixel, const float* image, float* to, int64_t columns,
                    Team team) const {
    const WindowAxes& w = windows;
    const Taps last = w.last().taps;
    const int64_t each = w.taps() * w.to_channel;
    float sums[kColumns];
    for (int64_t c = team.first(); c < columns; c += team.step()) sums[c] = 0;
    for (int64_t line = 0; line < w.lines; ++line, image += last.size * w.to_channel) {
      const float* windows_of_line = image;
      bool has_windows = true;
      int64_t rest = line;
      for (int a = w.count - 2; a >= w.samples && has_windows; --a) {
        const Taps& along = w.axes[a].taps;
        const int64_t window = along.window(pixel[a], rest % along.size);
        rest /= along.size;
        has_windows = window >= 0;
        windows_of_line += has_windows ? window * w.axes[a].to : 0;
      }
      for (int64_t b = 0; b < last.size && has_windows; ++b) {
        const int64_t window = last.window(pixel[w.count - 1], b);
        if (window < 0) continue;
        const float* number = windows_of_line + window * w.last().to + b * w.to_channel;
        for (int64_t c = team.first(); c < columns; c += team.step()) sums[c] += number[c * each];
      }
    }
    for (int64_t c = team.first(); c < columns; c += team.step()) to[c * w.from_channel] = sums[c];
  }
};

class Im2col : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    const Options options = setup.options().message("convolution_param");
    const int channels = canonical_axis(setup, options.integer("axis"), x);
    setup.require(channels + 1 < x.rank(), "needs an axis behind that of the channels, axis ",
                  channels, " of the bottom ", x.str());
    setup.require(x.rank() - 1 <= kMostAxes, "takes at most ", kMostAxes,
                  " axes beside that of the channels, got ", x.str());
    const ConvolutionWindows along = read_windows(setup, channels);
    std::vector<int64_t> window{x[channels]}, top = x.extents();
    window.insert(window.end(), along.kernel.begin(), along.kernel.end());
    setup.require(Shape(window).fits(std::numeric_limits<int64_t>::max()), "a window would be ",
                  Shape(window).str());
    top[channels] = Shape(window).count();
    for (size_t s = 0; s < along.kernel.size(); ++s) {
      int64_t& extent = top[channels + 1 + s];
      const int64_t room =
          extent + 2 * along.pad[s] - along.dilation[s] * (along.kernel[s] - 1) - 1;
      setup.require(room >= 0, "the kernel ", Shape(along.kernel).str(),
                    " (dilated) is larger than the padded bottom ", x.str());
      extent = room / along.stride[s] + 1;
    }
    const std::vector<int64_t> from = strides_of(x), to = strides_of(Shape(top));
    WindowAxes& w = windows_;
    w.samples = channels;
    w.channels = x[channels];
    w.from_channel = from[channels];
    w.to_channel = to[channels];
    for (int a = 0; a < x.rank(); ++a) {
      if (a == channels) continue;
      Taps taps{x[a], top[a]};
      if (const int s = a - channels - 1; s >= 0)
        taps = {x[a], top[a], along.kernel[s], along.stride[s], along.pad[s], along.dilation[s]};
      w.axes[w.count++] = {taps, from[a], to[a]};
      if (a + 1 < x.rank()) w.lines *= taps.size;
    }
    return {Shape(std::move(top))};
  }
  void forward(Pass& pass) override {
    const Tensor y = pass.output(0);
    parallel_teams(pass.device(), y.count() / (windows_.channels * windows_.taps()),
                   Columns{windows_, pass.input(0).floats(), y.floats()});
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    parallel_teams(pass.device(), dx.count() / windows_.channels,
                   PixelGradient{windows_, pass.output_gradient(0).floats(), dx.floats()});
  }

 private:
  WindowAxes windows_{};
};

// The pixels under each tap of all windows, along one axis after another; then the axes of taps go
// behind that of the channels.
void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("convolution_param");
  const Shape& x = layer.input_shapes[0];
  const auto first = static_cast<int>(canonical_axis(options.integer("axis"), x)) + 1;
  const ConvolutionWindows along = read_windows(layer.spec, options, x.rank() - first);
  std::vector<int64_t> pads(static_cast<size_t>(x.rank())), extents, order, windows;
  std::copy(along.pad.begin(), along.pad.end(), pads.begin() + first);
  pads.insert(pads.end(), pads.begin(), pads.end());
  std::string pixels = layer.before("Pad", {layer.inputs[0], layer.integers("pads", pads)});
  for (int a = 0; a < first; ++a) {
    extents.push_back(x[a]);
    order.push_back(a);
  }
  for (int a = first; a < x.rank(); ++a) {
    const int s = a - first;
    std::vector<int64_t> places;
    for (int64_t tap = 0; tap < along.kernel[s]; ++tap)
      for (int64_t window = 0; window < layer.output_shape[a]; ++window)
        places.push_back(window * along.stride[s] + tap * along.dilation[s]);
    pixels =
        layer.before("Gather", {pixels, layer.integers("places", places)}, {{"axis", int64_t{a}}});
    order.push_back(static_cast<int64_t>(extents.size()));
    extents.push_back(along.kernel[s]);
    windows.push_back(static_cast<int64_t>(extents.size()));
    extents.push_back(layer.output_shape[a]);
  }
  order.insert(order.end(), windows.begin(), windows.end());
  layer.reshape(
      layer.before("Transpose", {layer.reshaped(pixels, Shape(extents))}, {{"perm", order}}));
}

OREPA_LAYER(Im2col, "the windows of a convolution, with what lies under their taps as channels")
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
