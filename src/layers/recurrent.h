// Recurrent: what RNN and LSTM share. N sequences side by side take T steps; step t makes of
//
//   u_t = W x_t + b + W_static x_static + W_hidden (cont_t h_{t-1})
//
// its hidden state h_t, D numbers a sequence. What a sequence hands from step to step are its
// states: h_t, and whatever else a layer has. Each is multiplied by cont_t on its way, which is 0
// where another sequence begins.
//
// Bottoms: x (T x N x ...), cont (T x N), perhaps x_static (N x ...), and with expose_hidden the
// states before the first step (1 x N x D each). Tops: y (T x N x D), and with expose_hidden the
// states behind the last step. Without it they stay in the net, and its next pass goes on from them
// where cont_0 is not 0, as in Caffe; they are 0 in a new net, and each net has its own.
//
// W x_t is one product for all steps, and so are the gradients of the weights; in between each step
// is a product and a loop.
#pragma once
#include "layers/dense.h"
#include "layers/row_major_input.h"

namespace orepa {

// A state of all sequences between two steps, or its gradient on the way back. Null states: zeros,
// to be read alone.
struct Passage {
  float* states = nullptr;      // N x D, as the later step has them
  const float* cont = nullptr;  // N, of the later step; null: 1
  int64_t width = 0;            // D

  OREPA_HD float times_cont(int64_t n, float value) const {
    if (cont == nullptr) return value;
    return cont[n] == 0 ? 0.0f : cont[n] * value;  // 0 even of what is not finite
  }
  OREPA_HD void set(int64_t n, int64_t d, float value) const {
    states[n * width + d] = times_cont(n, value);
  }
  OREPA_HD float gradient(int64_t n, int64_t d) const {
    return states == nullptr ? 0.0f : times_cont(n, states[n * width + d]);
  }
};

// All of a state, or of its gradient.
struct ThroughPassage {
  Passage passage;
  const float* from;
  float* to;
  OREPA_HD void operator()(int64_t n, int64_t d) const {
    const int64_t i = n * passage.width + d;
    to[i] = passage.times_cont(n, from[i]);
  }
};

// u_t of one step. What a layer makes of it takes the place of the product.
struct StepInput {
  float* product;                 // N x columns: without the terms below
  const float *bias, *of_static;  // columns; N x columns, or null
  int64_t columns;
  OREPA_HD float operator()(int64_t n, int64_t j) const {
    const float sum = product[n * columns + j] + bias[j];
    return of_static == nullptr ? sum : sum + of_static[n * columns + j];
  }
};

class Recurrent : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override;
  void forward(Pass& pass) override;
  void backward(Pass& pass) override;
  int64_t macs() const override;

 protected:
  // u_t has `units` times D numbers a sequence; state 0 is h_t.
  Recurrent(int64_t units, int states) : units_(units), states_(states) {}

  // Step t. What it makes of the input stays in its place until the backward pass; the states go to
  // `next`, one a state.
  virtual void step(Pass& pass, int64_t t, const StepInput& input, const Passage* next) = 0;
  // Its gradient: that of u_t to `dinput`, those of states but h_{t-1} to state_gradient(). `next`
  // are the gradients that come back from the next step.
  virtual void step_gradient(Pass& pass, int64_t t, const Passage* next, float* dinput) = 0;

  // cont_t times a state of step t - 1, N x D.
  float* state(Pass& pass, int state, int64_t t) const {
    return pass.floats(carried_[state]) + t * sequences_ * width_;
  }
  // Where its gradient is to be written: the same memory for all steps.
  float* state_gradient(Pass& pass, int state) const { return pass.floats(dcarried_[state]); }
  // What step t made of its input.
  float* made(Pass& pass, int64_t t) const {
    return pass.floats(made_) + t * sequences_ * units_ * width_;
  }
  int64_t step_count() const { return sequences_ * width_; }  // of a state

  int64_t steps_ = 0, sequences_ = 0, width_ = 0;  // T, N, D

 private:
  int first_state() const { return has_static_ ? 3 : 2; }  // the bottom
  Passage passage(Pass& pass, int64_t t, float* states) const;
  const float* states_before(Pass& pass, int state) const;
  float* states_behind(Pass& pass, int state) const;
  void weight_gradients(Pass& pass);
  void static_gradients(Pass& pass);

  const int64_t units_;
  const int states_;
  bool exposed_ = false, has_static_ = false;
  Dense of_x_, of_static_, of_hidden_;
  RowMajorInput x_, x_static_;
  Handle weight_ = -1, bias_ = -1, static_weight_ = -1, hidden_weight_ = -1;
  Handle made_ = -1, static_product_ = -1;
  Handle dinput_ = -1, dstatic_product_ = -1, sums_ = -1;
  Handle carried_[2] = {-1, -1}, dcarried_[2] = {-1, -1}, kept_[2] = {-1, -1};
};

}  // namespace orepa
