#include "layers/lstm_step.h"
#include "layers/recurrent_onnx.h"

namespace orepa {
namespace {

// One step whose inputs are bottoms: c_{t-1} (1 x N x D), the sums of the gates (1 x N x 4 D) and
// cont (1 x N). The tops are c_t and h_t.
class LSTMUnit : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape &c = setup.input(0), &sums = setup.input(1), &cont = setup.input(2);
    setup.require(c.rank() == 3 && c[0] == 1, "bottom 0, c, must be 1 x N x D, got ", c.str());
    sequences_ = c[1];
    width_ = c[2];
    setup.require(sums == Shape{1, sequences_, 4 * width_}, "bottom 1 must be ",
                  Shape{1, sequences_, 4 * width_}.str(), ", got ", sums.str());
    setup.require(cont == Shape{1, sequences_}, "bottom 2, cont, must be ",
                  Shape{1, sequences_}.str(), ", got ", cont.str());
    gates_ = setup.saved(sums.bytes());
    cell_ = setup.saved(c.bytes());
    no_bias_ = setup.constant({4 * width_}, [width = width_] {
      return std::vector<float>(static_cast<size_t>(4 * width));
    });
    setup.no_input_gradient(2);
    if (setup.backward()) {
      setup.backward_reads_input(2);
      dcell_ = setup.scratch(Stage::kBackward, c.bytes());
      dgates_ = setup.scratch(Stage::kBackward, sums.bytes());
    }
    return {c, c};
  }
  void forward(Pass& pass) override {
    Device& device = pass.device();
    const Tensor sums = pass.input(1);
    float* hidden = pass.output(1).floats();
    device.copy(pass.memory(gates_), sums.data, sums.bytes());
    parallel_rows(device, sequences_, width_,
                  ThroughPassage{passage(pass), pass.input(0).floats(), pass.floats(cell_)});
    parallel_rows(device, sequences_, width_,
                  LstmStep{{pass.floats(gates_), pass.floats(no_bias_), nullptr, 4 * width_},
                           pass.floats(cell_),
                           hidden,
                           {hidden, nullptr, width_},
                           {pass.output(0).floats(), nullptr, width_},
                           width_});
  }
  void backward(Pass& pass) override {
    const Tensor dc = pass.input_gradient(0), dsums = pass.input_gradient(1);
    parallel_rows(pass.device(), sequences_, width_,
                  LstmStepGradient{pass.floats(gates_),
                                   pass.floats(cell_),
                                   pass.output_gradient(1).floats(),
                                   {},
                                   {pass.output_gradient(0).floats(), nullptr, width_},
                                   pass.floats(dcell_),
                                   dsums ? dsums.floats() : pass.floats(dgates_),
                                   width_});
    if (dc)
      parallel_rows(pass.device(), sequences_, width_,
                    ThroughPassage{passage(pass), pass.floats(dcell_), dc.floats()});
  }

 private:
  Passage passage(Pass& pass) const { return {nullptr, pass.input(2).floats(), width_}; }

  int64_t sequences_ = 0, width_ = 0;  // N, D
  Handle gates_ = -1, cell_ = -1, no_bias_ = -1, dcell_ = -1, dgates_ = -1;
};

void write_onnx(const OnnxLayer& layer) {
  const Shape& c = layer.output_shape;
  const auto matrix = [&](int bottom, int64_t columns) {
    return layer.reshaped(layer.inputs[bottom], {c[1], columns});
  };
  std::vector<std::string> states{"", layer.before("Mul", {matrix(0, c[2]), matrix(2, 1)})};
  write_lstm_step(layer, matrix(1, 4 * c[2]), states);
  layer.make(0, "Reshape", {states[1], layer.shape_constant(c)});
  layer.make(1, "Reshape", {states[0], layer.shape_constant(c)});
}

OREPA_LAYER(LSTMUnit, "one step of an LSTM, whose gates' sums are a bottom").onnx(write_onnx);

}  // namespace
}  // namespace orepa
