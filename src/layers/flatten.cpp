#include "layers/axis.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// A copy where C, H and W are flattened with H W > 1, since rank 4 is stored with axis 1 innermost;
// else nothing moves.
class Flatten : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("flatten_param");
    const Shape& x = setup.input(0);
    const int begin = canonical_axis(setup, options.integer("axis"), x);
    const int end = canonical_axis(setup, options.integer("end_axis"), x);
    setup.require(begin <= end, "axis ", begin, " lies behind end_axis ", end);
    std::vector<int64_t> extents(x.extents().begin(), x.extents().begin() + begin);
    extents.push_back(x.count(begin, end + 1));
    extents.insert(extents.end(), x.extents().begin() + end + 1, x.extents().end());
    const Shape y(std::move(extents));
    if (LogicalOrder(x).is_row_major() && LogicalOrder(y).is_row_major()) {
      setup.output_may_overwrite_input(0, 0);
      setup.input_gradient_may_overwrite(0);
    }
    return {y};
  }
  void forward(Pass& pass) override { copy_in_order(pass.device(), pass.input(0), pass.output(0)); }
  void backward(Pass& pass) override {
    copy_in_order(pass.device(), pass.output_gradient(0), pass.input_gradient(0));
  }
};

void write_onnx(const OnnxLayer& layer) { layer.reshape(layer.inputs[0]); }

OREPA_LAYER(Flatten, "axes axis to end_axis become one").onnx(write_onnx);

}  // namespace
}  // namespace orepa
