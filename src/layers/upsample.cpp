#include "layers/rearrangement.h"
#include "layers/unpooling.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class Repetition : public Rearrangement {
  Top arrange(Setup& setup) override {
    const Options options = setup.options().message("upsample_param");
    const Shape& x = setup.input(0);
    for (const char* field :
         {"scale_h", "scale_w", "pad_out_h", "pad_out_w", "upsample_h", "upsample_w"})
      setup.require(!options.has(field), field,
                    " needs a second bottom, the mask of a MAX pooling; without one, give scale");
    const int64_t scale = options.integer("scale");
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

class Upsample : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    setup.require(x.rank() == 4, "bottom must be N x C x H x W, got ", x.str());
    if (setup.inputs() == 1)
      layer_ = std::make_unique<Repetition>();
    else
      layer_ = make_unpooling();
    return layer_->setup(setup);
  }
  void forward(Pass& pass) override { layer_->forward(pass); }
  void backward(Pass& pass) override { layer_->backward(pass); }
  std::optional<BadRow> bad_row(Pass& pass) const override { return layer_->bad_row(pass); }

 private:
  std::unique_ptr<Layer> layer_;
};

void write_onnx(const OnnxLayer& layer) {
  if (layer.inputs.size() == 2) return write_unpooling(layer);
  const float scale = static_cast<float>(layer.options("upsample_param").integer("scale"));
  layer.last("Resize", {layer.inputs[0], "", layer.constant("scales", {4}, {1, 1, scale, scale})},
             {{"mode", std::string("nearest")},
              {"nearest_mode", std::string("floor")},
              {"coordinate_transformation_mode", std::string("asymmetric")}});
}

OREPA_LAYER(Upsample,
            "every pixel becomes `scale` x `scale` of the same, or goes where a pool's mask says")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
