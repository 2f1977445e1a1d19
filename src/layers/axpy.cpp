#include "orepa/layer.h"
#include "orepa/onnx_layer.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

// Pixel r, channel c of a batch; its scale is that of the sample's channel.
struct Pixels {
  int64_t plane = 1, channels = 1;
  OREPA_HD int64_t number(int64_t r, int64_t c) const { return r * channels + c; }
  OREPA_HD int64_t scale(int64_t r, int64_t c) const { return r / plane * channels + c; }
};

struct Forward {
  Pixels in;
  const float *scale, *x, *y;
  float* out;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    const int64_t i = in.number(r, c);
    out[i] = scale[in.scale(r, c)] * x[i] + y[i];
  }
};

struct InputGradient {
  Pixels in;
  const float *scale, *dout;
  float* dx;
  OREPA_HD void operator()(int64_t r, int64_t c) const {
    dx[in.number(r, c)] = scale[in.scale(r, c)] * dout[in.number(r, c)];
  }
};

// For contract_rows(): sums over the plane of sample n.
struct ScaleGradient {
  Pixels in;
  const float *x, *dout;
  float* dscale;
  OREPA_HD int64_t terms(int64_t) const { return in.plane; }
  OREPA_HD float term(int64_t n, int64_t p, int64_t c) const {
    const int64_t i = in.number(n * in.plane + p, c);
    return x[i] * dout[i];
  }
  OREPA_HD void result(int64_t n, int64_t c, float sum) const { dscale[in.number(n, c)] = sum; }
};

class Axpy : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    setup.require(setup.inputs() == 3, "takes three bottoms, scale, x and y; got ", setup.inputs());
    const Shape &scale = setup.input(0), &x = setup.input(1), &y = setup.input(2);
    setup.require(x.rank() == 4, "x, bottom 1, must be N x C x H x W, got ", x.str());
    setup.require(scale == Shape({x[0], x[1]}) || scale == Shape({x[0], x[1], 1, 1}),
                  "the scale, bottom 0, must have one number a channel of x, which is ", x.str(),
                  "; got ", scale.str());
    setup.require(y == x, "y, bottom 2, must be as x, which is ", x.str(), "; got ", y.str());
    samples_ = x[0];
    in_ = {x[2] * x[3], x[1]};
    setup.backward_reads_input(0);
    setup.backward_reads_input(1);
    setup.output_may_overwrite_input(0, 1);
    setup.output_may_overwrite_input(0, 2);
    setup.input_gradient_may_overwrite(2);
    return {x};
  }

  void forward(Pass& pass) override {
    parallel_rows(pass.device(), samples_ * in_.plane, in_.channels,
                  Forward{in_, pass.input(0).floats(), pass.input(1).floats(),
                          pass.input(2).floats(), pass.output(0).floats()});
  }

  void backward(Pass& pass) override {
    const Tensor dout = pass.output_gradient(0), dy = pass.input_gradient(2);
    if (const Tensor dscale = pass.input_gradient(0))
      contract_rows(pass.device(), samples_, in_.channels,
                    ScaleGradient{in_, pass.input(1).floats(), dout.floats(), dscale.floats()});
    if (const Tensor dx = pass.input_gradient(1))
      parallel_rows(pass.device(), samples_ * in_.plane, in_.channels,
                    InputGradient{in_, pass.input(0).floats(), dout.floats(), dx.floats()});
    if (dy && dy.data != dout.data) pass.device().copy(dy.data, dout.data, dout.bytes());
  }

 private:
  Pixels in_;
  int64_t samples_ = 0;
};

void write_onnx(const OnnxLayer& layer) {
  const Shape& scale = layer.input_shapes[0];
  std::string factor = layer.inputs[0];
  if (scale.rank() == 2) factor = layer.reshaped(factor, {scale[0], scale[1], 1, 1});
  layer.last("Add", {layer.before("Mul", {layer.inputs[1], factor}), layer.inputs[2]});
}

int64_t count_channels(const LayerSpec&, const std::vector<int64_t>& inputs) {
  return inputs.size() == 3 ? inputs[1] : 0;
}

OREPA_LAYER(Axpy, "scale * x + y, with a scale for each channel of each sample")
    .channels(count_channels)
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
