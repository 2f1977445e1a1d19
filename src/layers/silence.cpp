#include <algorithm>

#include "orepa/layer.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class Silence : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    for (int i = 0; i < std::max(setup.inputs(), 1); ++i) setup.input(i);  // as many as there are
    setup.forward_only();
    return {};
  }
  void forward(Pass&) override {}
};

OREPA_LAYER(Silence, "reads its bottoms, so that they are no outputs of the net")
    .onnx([](const OnnxLayer&) {});

}  // namespace
}  // namespace orepa
