#include <algorithm>
#include <numeric>

#include "layers/axis.h"
#include "layers/parts.h"
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
    parts_ = Parts(axis, top, bottoms);
    return {top};
  }
  void forward(Pass& pass) override {
    std::vector<Tensor> bottoms;
    for (int i = 0; i < parts_.count(); ++i) bottoms.push_back(pass.input(i));
    parts_.join(pass.device(), bottoms, pass.output(0));
  }
  void backward(Pass& pass) override {
    std::vector<Tensor> gradients;
    for (int i = 0; i < parts_.count(); ++i) gradients.push_back(pass.input_gradient(i));
    parts_.cut(pass.device(), pass.output_gradient(0), gradients);
  }

 private:
  Parts parts_;  // of the top, one a bottom
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
