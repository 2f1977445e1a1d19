#include "layers/lstm_step.h"
#include "layers/recurrent_onnx.h"

namespace orepa {
namespace {

// The top is h.
class LSTM : public Recurrent {
 public:
  LSTM() : Recurrent(4, 2) {}

 private:
  void step(Pass& pass, int64_t t, const StepInput& input, const Passage* next) override {
    parallel_rows(pass.device(), sequences_, width_,
                  LstmStep{input, state(pass, 1, t), pass.output(0).floats() + t * step_count(),
                           next[0], next[1], width_});
  }
  void step_gradient(Pass& pass, int64_t t, const Passage* next, float* dinput) override {
    parallel_rows(pass.device(), sequences_, width_,
                  LstmStepGradient{made(pass, t), state(pass, 1, t),
                                   pass.output_gradient(0).floats() + t * step_count(), next[0],
                                   next[1], state_gradient(pass, 1), dinput, width_});
  }
};

void write_onnx(const OnnxLayer& layer) {
  const std::string hidden =
      write_steps(layer, 2, [&](const std::string& u, std::vector<std::string>& states) {
        write_lstm_step(layer, u, states);
      });
  layer.make(0, "Reshape", {hidden, layer.shape_constant(layer.output_shapes[0])});
}

OREPA_LAYER(LSTM, "long short-term memory: the hidden states of sequences, step by step")
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
