#include "layers/axis.h"
#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// The numbers in memory as rows x columns. Where channels are innermost, a slope is a column's,
// else a row's; with one slope for all there is one channel.
struct Table {
  int64_t rows = 0, columns = 0, channels = 1;
  bool channels_are_columns = false;

  static Table of(const Shape& x, bool one_slope) {
    const AxisView view = AxisView::of(x, 1);
    if (one_slope || view.inner == 1)
      return {view.outer, view.extent * view.inner, one_slope ? 1 : view.extent, !one_slope};
    return {view.outer * view.extent, view.inner, view.extent, false};
  }
  // The k-th number of a channel that is no column.
  OREPA_HD int64_t position(int64_t channel, int64_t k) const {
    return (k / columns * channels + channel) * columns + k % columns;
  }
};

template <bool kColumns>
struct Slopes {
  const float* slope;
  int64_t channels;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    return slope[kColumns ? j : r % channels];
  }
};

template <bool kColumns>
struct Forward {
  Slopes<kColumns> slope;
  int64_t columns;
  Numbers x, y;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * columns + j;
    const float value = x[i];
    y.set(i, value > 0 ? value : slope(r, j) * value);
  }
};

template <bool kColumns>
struct InputGradient {
  Slopes<kColumns> slope;
  int64_t columns;
  Numbers x, dy, dx;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    const int64_t i = r * columns + j;
    dx.set(i, dy[i] * (x[i] > 0 ? 1.0f : slope(r, j)));
  }
};

// What number i adds to the gradient of its slope.
struct Share {
  Numbers x, dy;
  OREPA_HD float operator()(int64_t i) const { return x[i] > 0 ? 0.0f : x[i] * dy[i]; }
};
struct ShareOfColumn {
  Share share;
  int64_t columns;
  OREPA_HD float operator()(int64_t r, int64_t j) const { return share(r * columns + j); }
};
struct ShareOfChannel {
  Share share;
  Table table;
  OREPA_HD float operator()(int64_t c, int64_t k) const { return share(table.position(c, k)); }
};

class PReLU : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("prelu_param");
    const Shape& x = setup.input(0);
    setup.require(x.rank() >= 2, "bottom must have channels on axis 1, got ", x.str());
    setup.takes_bfloat16();
    const bool shared = options.flag("channel_shared");
    table_ = Table::of(x, shared);
    slope_ = setup.parameter("slope", shared ? Shape{} : Shape{x[1]},
                             Filler::from(options, "filler", Filler::constant(0.25)));
    if (table_.channels_are_columns)
      partial_ =
          setup.scratch(Stage::kBackward, reduce_columns_scratch(table_.rows, table_.columns));
    setup.backward_reads_input(0);
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {x};
  }

  void forward(Pass& pass) override {
    if (table_.channels_are_columns)
      forward<true>(pass);
    else
      forward<false>(pass);
  }

  void backward(Pass& pass) override {
    if (const Tensor gradient = pass.gradient(slope_)) add_up(pass, gradient.floats());
    if (!pass.input_gradient(0)) return;
    if (table_.channels_are_columns)
      backward<true>(pass);
    else
      backward<false>(pass);
  }

 private:
  template <bool kColumns>
  Slopes<kColumns> slopes(Pass& pass) const {
    return {pass.parameter(slope_).floats(), table_.channels};
  }
  template <bool kColumns>
  void forward(Pass& pass) const {
    parallel_rows(
        pass.device(), table_.rows, table_.columns,
        Forward<kColumns>{slopes<kColumns>(pass), table_.columns, pass.input(0), pass.output(0)});
  }
  template <bool kColumns>
  void backward(Pass& pass) const {
    parallel_rows(pass.device(), table_.rows, table_.columns,
                  InputGradient<kColumns>{slopes<kColumns>(pass), table_.columns, pass.input(0),
                                          pass.output_gradient(0), pass.input_gradient(0)});
  }
  void add_up(Pass& pass, float* gradient) const {
    const Share share{pass.input(0), pass.output_gradient(0)};
    const bool accumulates = pass.accumulates(slope_);
    if (table_.channels_are_columns)
      reduce_columns(pass.device(), table_.rows, table_.columns,
                     ShareOfColumn{share, table_.columns}, gradient, accumulates,
                     pass.floats(partial_));
    else
      reduce_rows(pass.device(), table_.channels, table_.rows * table_.columns / table_.channels,
                  ShareOfChannel{share, table_}, gradient, accumulates);
  }

  Table table_;
  Handle slope_ = -1, partial_ = -1;
};

void write_onnx(const OnnxLayer& layer) {
  const Shape& x = layer.input_shapes[0];
  std::vector<int64_t> extents{1};
  if (!layer.options("prelu_param").flag("channel_shared")) {
    extents.assign(static_cast<size_t>(x.rank() - 1), 1);
    extents[0] = x[1];
  }
  layer.last("PRelu", {layer.inputs[0], layer.parameter("slope", Shape(extents))});
}

OREPA_LAYER(PReLU, "y = x where x > 0, else slope * x, with a learned slope a channel")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
