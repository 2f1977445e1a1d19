#include <cmath>

#include "layers/recurrent.h"
#include "layers/recurrent_onnx.h"

namespace orepa {
namespace {

OREPA_HD float sigmoid(float x) { return 1 / (1 + expf(-x)); }

// The four gates of a cell, in Caffe's order.
struct Gates {
  float* first;  // of a sequence's width numbers: in, forget, out, candidate
  int64_t width;
  OREPA_HD float& in(int64_t d) const { return first[d]; }
  OREPA_HD float& forget(int64_t d) const { return first[width + d]; }
  OREPA_HD float& out(int64_t d) const { return first[2 * width + d]; }
  OREPA_HD float& candidate(int64_t d) const { return first[3 * width + d]; }
};

struct Step {
  StepInput input;    // becomes gates
  const float* cell;  // cont_t c_{t-1}
  float* hidden;      // h_t
  Passage next_hidden, next_cell;
  int64_t width;
  OREPA_HD void operator()(int64_t n, int64_t d) const {
    const float i = sigmoid(input(n, d)), f = sigmoid(input(n, width + d)),
                o = sigmoid(input(n, 2 * width + d)), g = tanhf(input(n, 3 * width + d));
    const Gates gates{input.product + n * input.columns, width};
    gates.in(d) = i;
    gates.forget(d) = f;
    gates.out(d) = o;
    gates.candidate(d) = g;
    const float c = f * cell[n * width + d] + i * g, h = o * tanhf(c);
    hidden[n * width + d] = h;
    next_hidden.set(n, d, h);
    next_cell.set(n, d, c);
  }
};

struct StepGradient {
  float* made;        // the gates
  const float* cell;  // cont_t c_{t-1}
  const float* dy;
  Passage next_hidden, next_cell;
  float *dcell, *dinput;
  int64_t width;
  OREPA_HD void operator()(int64_t n, int64_t d) const {
    const int64_t at = n * width + d;
    const Gates gates{made + n * 4 * width, width}, gradient{dinput + n * 4 * width, width};
    const float i = gates.in(d), f = gates.forget(d), o = gates.out(d), g = gates.candidate(d);
    const float tanh_c = tanhf(f * cell[at] + i * g);
    const float dh = dy[at] + next_hidden.gradient(n, d);
    const float dc = dh * o * (1 - tanh_c * tanh_c) + next_cell.gradient(n, d);
    gradient.in(d) = dc * g * i * (1 - i);
    gradient.forget(d) = dc * cell[at] * f * (1 - f);
    gradient.out(d) = dh * tanh_c * o * (1 - o);
    gradient.candidate(d) = dc * i * (1 - g * g);
    dcell[at] = dc * f;
  }
};

// c_t = forget cont_t c_{t-1} + in candidate, h_t = out tanh(c_t); the top is h.
class LSTM : public Recurrent {
 public:
  LSTM() : Recurrent(4, 2) {}

 private:
  void step(Pass& pass, int64_t t, const StepInput& input, const Passage* next) override {
    parallel_rows(pass.device(), sequences_, width_,
                  Step{input, state(pass, 1, t), pass.output(0).floats() + t * step_count(),
                       next[0], next[1], width_});
  }
  void step_gradient(Pass& pass, int64_t t, const Passage* next, float* dinput) override {
    parallel_rows(pass.device(), sequences_, width_,
                  StepGradient{made(pass, t), state(pass, 1, t),
                               pass.output_gradient(0).floats() + t * step_count(), next[0],
                               next[1], state_gradient(pass, 1), dinput, width_});
  }
};

void write_onnx(const OnnxLayer& layer) {
  const int64_t width = layer.output_shapes[0][2];
  const std::string hidden =
      write_steps(layer, 2, [&](const std::string& u, std::vector<std::string>& states) {
        const auto gate = [&](int64_t number, const char* function) {
          return layer.before(function, {onnx_columns(layer, u, number * width, width)});
        };
        const std::string in = gate(0, "Sigmoid"), forget = gate(1, "Sigmoid"),
                          out = gate(2, "Sigmoid"), candidate = gate(3, "Tanh");
        states[1] = layer.before("Add", {layer.before("Mul", {forget, states[1]}),
                                         layer.before("Mul", {in, candidate})});
        states[0] = layer.before("Mul", {out, layer.before("Tanh", {states[1]})});
      });
  layer.make(0, "Reshape", {hidden, layer.shape_constant(layer.output_shapes[0])});
}

OREPA_LAYER(LSTM, "long short-term memory: the hidden states of sequences, step by step")
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
