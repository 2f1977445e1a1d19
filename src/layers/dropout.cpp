#include "orepa/layer.h"
#include "orepa/onnx_layer.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

// y = x / (1 - ratio) where a random number of this layer, pass and element says to keep it, else
// 0. The backward pass draws the same numbers again, so no mask is stored.
struct Mask {
  const float* x;
  Random::Purpose random;
  int64_t first;  // number of the whole batch that x begins with
  float ratio, scale;
  float* y;
  OREPA_HD void operator()(int64_t i, uint64_t step) const {
    y[i] = random.at(step).uniform(static_cast<uint64_t>(first + i)) >= ratio ? x[i] * scale : 0;
  }
};

class Dropout : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("dropout_param");
    ratio_ = static_cast<float>(options.number("dropout_ratio"));
    setup.require(ratio_ >= 0 && ratio_ < 1, "dropout_ratio must lie in [0, 1), got ", ratio_);
    if (setup.phase() == Phase::kTest) ratio_ = 0;
    const BatchRows rows = setup.rows();
    if (rows.count > 0) first_ = setup.input(0).count() / rows.count * rows.first;
    setup.draws_random();
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {setup.input(0)};
  }
  void forward(Pass& pass) override { apply(pass, pass.input(0), pass.output(0)); }
  void backward(Pass& pass) override {
    apply(pass, pass.output_gradient(0), pass.input_gradient(0));
  }

 private:
  void apply(Pass& pass, const Tensor& from, const Tensor& to) {
    if (ratio_ == 0 && from.floats() == to.floats()) return;
    parallel_for(pass.device(), from.count(),
                 Mask{from.floats(), pass.random(), first_, ratio_, 1 / (1 - ratio_), to.floats()},
                 pass.step());
  }
  float ratio_ = 0;
  int64_t first_ = 0;
};

void write_onnx(const OnnxLayer& layer) { layer.last("Identity", layer.inputs); }

OREPA_LAYER(Dropout, "in training zeroes a share dropout_ratio of the numbers and scales the rest")
    .keeps_channels()
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
