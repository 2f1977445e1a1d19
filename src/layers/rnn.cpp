#include <cmath>

#include "layers/arithmetic.h"
#include "layers/recurrent.h"
#include "layers/recurrent_onnx.h"

namespace orepa {
namespace {

struct Step {
  StepInput input;  // becomes h_t
  Passage next;
  OREPA_HD void operator()(int64_t n, int64_t d) const {
    const float h = tanhf(input(n, d));
    input.product[n * input.columns + d] = h;
    next.set(n, d, h);
  }
};

struct StepGradient {
  const float *hidden, *dhidden;
  Passage next;
  float* dinput;
  OREPA_HD void operator()(int64_t n, int64_t d) const {
    const int64_t at = n * next.width + d;
    dinput[at] = (dhidden[at] + next.gradient(n, d)) * (1 - hidden[at] * hidden[at]);
  }
};

struct Output {
  const float* bias;
  float* y;
  int64_t width;
  OREPA_HD void operator()(int64_t r, int64_t d) const {
    y[r * width + d] = tanhf(y[r * width + d] + bias[d]);
  }
};

struct OutputGradient {
  const float *y, *dy;
  float* dproduct;
  OREPA_HD void operator()(int64_t i) const { dproduct[i] = dy[i] * (1 - y[i] * y[i]); }
};

// h_t = tanh(u_t); the top is tanh(W_output h_t + b_output).
class RNN : public Recurrent {
 public:
  RNN() : Recurrent(1, 1) {}

  std::vector<Shape> setup(Setup& setup) override {
    const std::vector<Shape> tops = Recurrent::setup(setup);
    const Options options = setup.options().message("recurrent_param");
    output_ = {steps_ * sequences_, width_, width_};
    weight_ = setup.parameter("output_weight", {width_, width_},
                              Filler::from(options, "weight_filler", Filler::constant(0)));
    bias_ = setup.parameter("output_bias", {width_},
                            Filler::from(options, "bias_filler", Filler::constant(0)));
    if (!setup.backward()) return tops;
    setup.backward_reads_output(0);
    dproduct_ = setup.scratch(Stage::kBackward, tops[0].bytes());
    dhidden_ = setup.scratch(Stage::kBackward, tops[0].bytes());
    sums_ = setup.scratch(Stage::kBackward, reduce_columns_scratch(output_.m, width_));
    return tops;
  }
  void forward(Pass& pass) override {
    Recurrent::forward(pass);
    float* y = pass.output(0).floats();
    output_.forward(pass.device(), made(pass, 0), pass.parameter(weight_).floats(), y);
    parallel_rows(pass.device(), output_.m, width_,
                  Output{pass.parameter(bias_).floats(), y, width_});
  }
  void backward(Pass& pass) override {
    Device& device = pass.device();
    float* dproduct = pass.floats(dproduct_);
    const Tensor dy = pass.output_gradient(0);
    parallel_for(device, dy.count(),
                 OutputGradient{pass.output(0).floats(), dy.floats(), dproduct});
    if (const Tensor dweight = pass.gradient(weight_))
      output_.weight_gradient(device, dproduct, made(pass, 0), dweight.floats(),
                              pass.accumulates(weight_));
    if (const Tensor dbias = pass.gradient(bias_))
      reduce_columns(device, output_.m, width_, Element{Tensor{dproduct, {}}, width_},
                     dbias.floats(), pass.accumulates(bias_), pass.floats(sums_));
    output_.input_gradient(device, dproduct, pass.parameter(weight_).floats(),
                           pass.floats(dhidden_));
    Recurrent::backward(pass);
  }
  int64_t macs() const override { return Recurrent::macs() + output_.macs(); }

 private:
  void step(Pass& pass, int64_t, const StepInput& input, const Passage* next) override {
    parallel_rows(pass.device(), sequences_, width_, Step{input, next[0]});
  }
  void step_gradient(Pass& pass, int64_t t, const Passage* next, float* dinput) override {
    parallel_rows(
        pass.device(), sequences_, width_,
        StepGradient{made(pass, t), pass.floats(dhidden_) + t * step_count(), next[0], dinput});
  }

  Dense output_;
  Handle weight_ = -1, bias_ = -1, dproduct_ = -1, dhidden_ = -1, sums_ = -1;
};

void write_onnx(const OnnxLayer& layer) {
  const std::string hidden =
      write_steps(layer, 1, [&](const std::string& u, std::vector<std::string>& states) {
        states[0] = layer.before("Tanh", {u});
      });
  const std::vector<std::string> output{hidden, layer.parameter("output_weight"),
                                        layer.parameter("output_bias")};
  const std::string y =
      layer.before("Tanh", {layer.before("Gemm", output, {{"transB", int64_t{1}}})});
  layer.make(0, "Reshape", {y, layer.shape_constant(layer.output_shapes[0])});
}

OREPA_LAYER(RNN, "a recurrent network of tanh: outputs of sequences, step by step")
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
