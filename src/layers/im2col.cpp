#include <algorithm>
#include <limits>

#include "layers/arrangement.h"
#include "layers/axis.h"
#include "layers/window.h"
#include "layers/window_columns.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class Im2col : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    const Options options = setup.options().message("convolution_param");
    const int channels = canonical_axis(setup, options.integer("axis"), x);
    setup.require(channels + 1 < x.rank(), "needs an axis behind that of the channels, axis ",
                  channels, " of the bottom ", x.str());
    setup.require(x.rank() - 1 <= WindowAxes::kMost, "takes at most ", WindowAxes::kMost,
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
