#include <algorithm>
#include <numeric>

#include "layers/axis.h"
#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// Moves one bottom's part of every row between the bottom (rows of `size`) and the top (rows of
// `total`).
struct MovePart {
  Numbers from, to;
  int64_t size, total, offset;
  bool into_top;
  OREPA_HD void operator()(int64_t i) const {
    const int64_t at = i / size * total + offset + i % size;
    if (into_top)
      to.set(at, from[i]);
    else
      to.set(i, from[at]);
  }
};

int64_t axis_of(const Options& options) {
  return options.integer(options.has("concat_dim") ? "concat_dim" : "axis");
}

class Concat : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("concat_param");
    setup.takes_bfloat16();
    const Shape& first = setup.input(0);
    setup.require(!options.has("concat_dim") || !options.has("axis"),
                  "either axis or concat_dim, its old name, can be given, not both");
    axis_ = canonical_axis(setup, axis_of(options), first);
    std::vector<int64_t> extents = first.extents();
    extents[axis_] = 0;
    for (int i = 0; i < setup.inputs(); ++i) {
      std::vector<int64_t> other = setup.input(i).extents();
      setup.require(other.size() == extents.size(), "bottom ", i, " is ", setup.input(i).str(),
                    ", but bottom 0 is ", first.str());
      extents[axis_] += other[axis_];
      other[axis_] = first[axis_];
      setup.require(Shape(other) == first, "bottom ", i, " is ", setup.input(i).str(),
                    ", but bottom 0 is ", first.str(), "; they may differ along axis ", axis_,
                    " only");
    }
    inputs_ = setup.inputs();
    return {Shape(std::move(extents))};
  }
  void forward(Pass& pass) override {
    int64_t offset = 0;
    for (int i = 0; i < inputs_; ++i)
      offset += move(pass, pass.input(i), pass.output(0), offset, true);
  }
  void backward(Pass& pass) override {
    int64_t offset = 0;
    for (int i = 0; i < inputs_; ++i)
      offset += move(pass, pass.input_gradient(i), pass.output_gradient(0), offset, false);
  }

 private:
  // Returns the size of the part's rows.
  int64_t move(Pass& pass, const Tensor& part, const Tensor& whole, int64_t offset, bool into_top) {
    const AxisView view = AxisView::of(part.shape, axis_), all = AxisView::of(whole.shape, axis_);
    const int64_t size = view.extent * view.inner;
    if (part)
      parallel_for(pass.device(), part.count(),
                   MovePart{into_top ? part : whole, into_top ? whole : part, size,
                            all.extent * all.inner, offset, into_top});
    return size;
  }
  int axis_ = 1, inputs_ = 0;
};

int64_t count_channels(const LayerSpec& spec, const std::vector<int64_t>& inputs) {
  if (axis_of(spec.options.message("concat_param")) != 1) return 0;
  return std::count(inputs.begin(), inputs.end(), 0) > 0
             ? 0
             : std::accumulate(inputs.begin(), inputs.end(), int64_t{0});
}

void write_onnx(const OnnxLayer& layer) {
  const int64_t axis = axis_of(layer.options("concat_param"));
  layer.last("Concat", layer.inputs, {{"axis", canonical_axis(axis, layer.output_shape)}});
}

OREPA_LAYER(Concat, "puts the bottoms one behind the other along an axis")
    .channels(count_channels)
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
