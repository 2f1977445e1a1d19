#include <algorithm>

#include "layers/reshaping.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class Reshape : public Reshaping {
  // Of the axes [axis, axis + num_axes) of the bottom: 0 is the extent that the bottom has there,
  // -1 what is left.
  Shape shape_of_top(Setup& setup) override {
    const Options options = setup.options().message("reshape_param");
    const Shape& x = setup.input(0);
    const int64_t given = options.integer("axis"), axes = options.integer("num_axes");
    // A negative axis counts from behind the last one.
    const int64_t begin = given < 0 ? given + x.rank() + 1 : given;
    setup.require(begin >= 0 && begin <= x.rank(), "axis ", given,
                  " does not exist in a bottom of ", x.str());
    setup.require(axes >= -1 && begin + axes <= x.rank(), "num_axes ", axes, " from axis ", begin,
                  " on reaches beyond the bottom ", x.str());
    const int64_t end = axes < 0 ? x.rank() : begin + axes;
    const std::vector<int64_t> wanted = options.message("shape").integers("dim");
    std::vector<int64_t> extents(x.extents().begin(), x.extents().begin() + begin);
    for (size_t i = 0; i < wanted.size(); ++i) {
      const int64_t copied = begin + static_cast<int64_t>(i);
      setup.require(wanted[i] >= -1, "dim ", wanted[i], " is no extent");
      setup.require(wanted[i] != 0 || copied < x.rank(), "dim ", i,
                    " is 0, for the extent of axis ", copied, ", which the bottom ", x.str(),
                    " does not have");
      extents.push_back(wanted[i] == 0 ? x[static_cast<int>(copied)] : wanted[i]);
    }
    extents.insert(extents.end(), x.extents().begin() + end, x.extents().end());
    infer(setup, x, extents);
    return Shape(std::move(extents));
  }

  static void infer(const Setup& setup, const Shape& x, std::vector<int64_t>& extents) {
    const auto inferred = std::find(extents.begin(), extents.end(), -1);
    setup.require(std::count(extents.begin(), extents.end(), -1) <= 1,
                  "only one dim can be -1, what is left");
    if (inferred != extents.end()) *inferred = 1;
    const Shape known(extents);
    setup.require(known.fits(x.count()) && x.count() % known.count() == 0, "the ", x.count(),
                  " numbers of the bottom ", x.str(), " do not fit into ", known.str());
    if (inferred != extents.end()) *inferred = x.count() / known.count();
    setup.require(Shape(extents).count() == x.count(), "the bottom ", x.str(), " has ", x.count(),
                  " numbers, and ", known.str(), " has ", known.count());
  }
};

void write_onnx(const OnnxLayer& layer) { layer.reshape(layer.inputs[0]); }

OREPA_LAYER(Reshape, "the same numbers in another shape").onnx(write_onnx);

}  // namespace
}  // namespace orepa
