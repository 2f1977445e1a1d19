#include "layers/reshaping.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class Flatten : public Reshaping {
  Shape shape_of_top(Setup& setup) override {
    const Options options = setup.options().message("flatten_param");
    const Shape& x = setup.input(0);
    const int begin = canonical_axis(setup, options.integer("axis"), x);
    const int end = canonical_axis(setup, options.integer("end_axis"), x);
    setup.require(begin <= end, "axis ", begin, " lies behind end_axis ", end);
    std::vector<int64_t> extents(x.extents().begin(), x.extents().begin() + begin);
    extents.push_back(x.count(begin, end + 1));
    extents.insert(extents.end(), x.extents().begin() + end + 1, x.extents().end());
    return Shape(std::move(extents));
  }
};

void write_onnx(const OnnxLayer& layer) { layer.reshape(layer.inputs[0]); }

OREPA_LAYER(Flatten, "axes axis to end_axis become one").onnx(write_onnx);

}  // namespace
}  // namespace orepa
