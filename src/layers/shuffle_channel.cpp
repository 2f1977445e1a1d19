#include "layers/rearrangement.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

class ShuffleChannel : public Rearrangement {
  Top arrange(Setup& setup) override {
    const Shape& x = setup.input(0);
    const int64_t groups = setup.options().message("shuffle_channel_param").integer("group");
    setup.require(x.rank() >= 2, "bottom must have channels on axis 1, got ", x.str());
    setup.require(groups > 0 && x[1] % groups == 0, "group must divide the ", x[1],
                  " channels of the bottom, got ", groups);
    const std::vector<int64_t> stride = strides_of(x);
    const int64_t each = x[1] / groups;
    std::vector<Arrangement::Axis> axes{{groups, each * stride[1], stride[1]},
                                        {each, stride[1], groups * stride[1]}};
    for (int a = 0; a < x.rank(); ++a)
      if (a != 1) axes.push_back({x[a], stride[a], stride[a]});
    return {x, Arrangement(axes)};
  }
};

void write_onnx(const OnnxLayer& layer) {
  const Shape& x = layer.input_shapes[0];
  const int64_t groups = layer.options("shuffle_channel_param").integer("group");
  const Shape apart{x[0], groups, x[1] / groups, x.count(2, x.rank())};
  const std::string parts = layer.reshaped(layer.inputs[0], apart);
  layer.reshape(layer.before("Transpose", {parts}, {{"perm", std::vector<int64_t>{0, 2, 1, 3}}}));
}

OREPA_LAYER(ShuffleChannel, "channels of `group` groups interleaved: the first of each, then ...")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
