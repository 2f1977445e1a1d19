#include <algorithm>
#include <numeric>

#include "layers/axis.h"
#include "layers/part.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

int64_t axis_of(const LayerSpec& spec) {
  return read_axis(spec, spec.options.message("concat_param"), "concat_dim");
}

class Concat : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    setup.takes_bfloat16();
    const Shape& first = setup.input(0);
    const int axis = canonical_axis(setup, axis_of(setup.spec()), first);
    std::vector<int64_t> extents = first.extents();
    extents[axis] = 0;
    std::vector<Shape> bottoms;
    for (int i = 0; i < setup.inputs(); ++i) {
      std::vector<int64_t> other = setup.input(i).extents();
      setup.require(other.size() == extents.size(), "bottom ", i, " is ", setup.input(i).str(),
                    ", but bottom 0 is ", first.str());
      extents[axis] += other[axis];
      other[axis] = first[axis];
      setup.require(Shape(other) == first, "bottom ", i, " is ", setup.input(i).str(),
                    ", but bottom 0 is ", first.str(), "; they may differ along axis ", axis,
                    " only");
      bottoms.push_back(setup.input(i));
    }
    const Shape top(std::move(extents));
    parts_ = parts_along(axis, top, bottoms);
    return {top};
  }
  void forward(Pass& pass) override {
    for (size_t i = 0; i < parts_.size(); ++i)
      parts_[i].scatter(pass.device(), pass.input(static_cast<int>(i)), pass.output(0));
  }
  void backward(Pass& pass) override {
    for (size_t i = 0; i < parts_.size(); ++i)
      if (const Tensor part = pass.input_gradient(static_cast<int>(i)))
        parts_[i].gather(pass.device(), pass.output_gradient(0), part);
  }

 private:
  std::vector<Arrangement> parts_;  // of the top, one a bottom
};

int64_t count_channels(const LayerSpec& spec, const std::vector<int64_t>& inputs) {
  if (axis_of(spec) != 1) return 0;
  return std::count(inputs.begin(), inputs.end(), 0) > 0
             ? 0
             : std::accumulate(inputs.begin(), inputs.end(), int64_t{0});
}

void write_onnx(const OnnxLayer& layer) {
  const int64_t axis = axis_of(layer.spec);
  layer.last("Concat", layer.inputs, {{"axis", canonical_axis(axis, layer.output_shape)}});
}

OREPA_LAYER(Concat, "puts the bottoms one behind the other along an axis")
    .channels(count_channels)
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
