#include <algorithm>

#include "layers/axis.h"
#include "layers/parts.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

int64_t axis_of(const LayerSpec& spec) {
  return read_axis(spec, spec.options.message("slice_param"), "slice_dim");
}

class Slice : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("slice_param");
    setup.takes_bfloat16();
    const Shape& x = setup.input(0);
    const int axis = canonical_axis(setup, axis_of(setup.spec()), x);
    std::vector<Shape> tops;
    for (const int64_t extent : extents_of(setup, options, x[axis])) {
      std::vector<int64_t> extents = x.extents();
      extents[axis] = extent;
      tops.emplace_back(std::move(extents));
    }
    parts_ = Parts(axis, x, tops);
    return tops;
  }
  void forward(Pass& pass) override {
    std::vector<Tensor> tops;
    for (int o = 0; o < parts_.count(); ++o) tops.push_back(pass.output(o));
    parts_.cut(pass.device(), pass.input(0), tops);
  }
  void backward(Pass& pass) override {
    std::vector<Tensor> gradients;
    for (int o = 0; o < parts_.count(); ++o) gradients.push_back(pass.output_gradient(o));
    parts_.join(pass.device(), gradients, pass.input_gradient(0));
  }

 private:
  // What each top has of the axis.
  static std::vector<int64_t> extents_of(const Setup& setup, const Options& options,
                                         int64_t whole) {
    const int tops = setup.outputs();
    setup.require(tops > 0, "names no top");
    std::vector<int64_t> points = options.integers("slice_point");
    if (points.empty()) {
      setup.require(whole % tops == 0, "cannot cut ", whole, " into ", tops,
                    " equal parts; give slice_point");
      return std::vector<int64_t>(static_cast<size_t>(tops), whole / tops);
    }
    setup.require(static_cast<int>(points.size()) == tops - 1, "needs one slice_point less than ",
                  tops, " tops, got ", points.size());
    points.push_back(whole);
    int64_t before = 0;
    std::vector<int64_t> extents;
    for (const int64_t point : points) {
      setup.require(point > before, "every slice_point must be larger than the one before and ",
                    "smaller than ", whole, "; got ", point, " behind ", before);
      extents.push_back(point - before);
      before = point;
    }
    return extents;
  }
  Parts parts_;  // of the bottom, one a top
};

int64_t count_channels(const LayerSpec& spec, const std::vector<int64_t>& inputs) {
  const Options options = spec.options.message("slice_param");
  if (axis_of(spec) != 1) return 0;
  return options.has("slice_point") ? 0 : inputs[0] / std::max(spec.options.size("top"), 1);
}

void write_onnx(const OnnxLayer& layer) {
  const Shape& x = layer.input_shapes[0];
  const auto axis = static_cast<size_t>(canonical_axis(axis_of(layer.spec), x));
  std::vector<int64_t> begin(x.extents().size(), 0);
  for (size_t o = 0; o < layer.outputs.size(); ++o) {
    layer.slice(o, begin);
    begin[axis] += layer.output_shapes[o].extents()[axis];
  }
}

OREPA_LAYER(Slice, "cuts the bottom into tops along an axis")
    .channels(count_channels)
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
