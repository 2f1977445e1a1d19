#include "layers/rearrangement.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class Upsample : public Rearrangement {
  Top arrange(Setup& setup) override {
    const Shape& x = setup.input(0);
    const int64_t scale = setup.options().message("upsample_param").integer("scale");
    setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
    setup.require(scale > 0, "scale must be positive, got ", scale);
    const Shape y{x[0], x[1], x[2] * scale, x[3] * scale};
    const std::vector<int64_t> from = strides_of(x), to = strides_of(y);
    return {y, Arrangement({{x[0], from[0], to[0]},
                            {x[1], from[1], to[1]},
                            {x[2], from[2], scale * to[2]},
                            {scale, 0, to[2]},
                            {x[3], from[3], scale * to[3]},
                            {scale, 0, to[3]}})};
  }
};

void write_onnx(const OnnxLayer& layer) {
  const float scale = static_cast<float>(layer.options("upsample_param").integer("scale"));
  layer.last("Resize", {layer.inputs[0], "", layer.constant("scales", {4}, {1, 1, scale, scale})},
             {{"mode", std::string("nearest")},
              {"nearest_mode", std::string("floor")},
              {"coordinate_transformation_mode", std::string("asymmetric")}});
}

OREPA_LAYER(Upsample, "every pixel becomes `scale` x `scale` of the same")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
