#include "orepa/layer.h"

namespace orepa {
namespace {

class Input : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const std::vector<Options> given = setup.options().message("input_param").messages("shape");
    setup.require(setup.outputs() > 0, "names no top");
    setup.require(given.size() == 1 || static_cast<int>(given.size()) == setup.outputs(),
                  "needs one input_param.shape for all ", setup.outputs(),
                  " tops, or one each; got ", given.size());
    std::vector<Shape> shapes;
    for (int o = 0; o < setup.outputs(); ++o) {
      std::vector<int64_t> extents = given[given.size() == 1 ? 0 : o].integers("dim");
      if (!extents.empty()) extents[0] = setup.take_rows(extents[0]).count;
      const Shape* other = setup.shape_override(o);
      shapes.push_back(other == nullptr ? Shape(std::move(extents)) : *other);
    }
    return shapes;
  }
  void forward(Pass&) override {}  // the net copies what the caller has set
};

OREPA_LAYER(Input, "tops that the caller fills; input_param { shape { dim: ... } }");

}  // namespace
}  // namespace orepa
