// One step of an LSTM, c_t = forget cont_t c_{t-1} + in candidate and h_t = out tanh(c_t), for all
// layers that have one.
#pragma once
#include <cmath>

#include "layers/recurrent.h"

namespace orepa {

OREPA_HD inline float lstm_sigmoid(float x) { return 1 / (1 + expf(-x)); }
// As Caffe computes it, off by some 1e-7 wherever x is; tanhf takes several times as long.
OREPA_HD inline float lstm_tanh(float x) { return 2 * lstm_sigmoid(2 * x) - 1; }

// The four gates of a cell, in Caffe's order.
struct LstmGates {
  float* first;  // of a sequence's width numbers: in, forget, out, candidate
  int64_t width;
  OREPA_HD float& in(int64_t d) const { return first[d]; }
  OREPA_HD float& forget(int64_t d) const { return first[width + d]; }
  OREPA_HD float& out(int64_t d) const { return first[2 * width + d]; }
  OREPA_HD float& candidate(int64_t d) const { return first[3 * width + d]; }
};

struct LstmStep {
  StepInput input;    // becomes gates
  const float* cell;  // cont_t c_{t-1}
  float* hidden;      // h_t
  Passage next_hidden, next_cell;
  int64_t width;
  OREPA_HD void operator()(int64_t n, int64_t d) const {
    const float i = lstm_sigmoid(input(n, d)), f = lstm_sigmoid(input(n, width + d)),
                o = lstm_sigmoid(input(n, 2 * width + d)), g = lstm_tanh(input(n, 3 * width + d));
    const LstmGates gates{input.product + n * input.columns, width};
    gates.in(d) = i;
    gates.forget(d) = f;
    gates.out(d) = o;
    gates.candidate(d) = g;
    const float c = f * cell[n * width + d] + i * g, h = o * lstm_tanh(c);
    hidden[n * width + d] = h;
    next_hidden.set(n, d, h);
    next_cell.set(n, d, c);
  }
};

struct LstmStepGradient {
  float* made;        // the gates
  const float* cell;  // cont_t c_{t-1}
  const float* dy;
  Passage next_hidden, next_cell;
  float *dcell, *dinput;
  int64_t width;
  OREPA_HD void operator()(int64_t n, int64_t d) const {
    const int64_t at = n * width + d;
    const LstmGates gates{made + n * 4 * width, width}, gradient{dinput + n * 4 * width, width};
    const float i = gates.in(d), f = gates.forget(d), o = gates.out(d), g = gates.candidate(d);
    const float tanh_c = lstm_tanh(f * cell[at] + i * g);
    const float dh = dy[at] + next_hidden.gradient(n, d);
    const float dc = dh * o * (1 - tanh_c * tanh_c) + next_cell.gradient(n, d);
    gradient.in(d) = dc * g * i * (1 - i);
    gradient.forget(d) = dc * cell[at] * f * (1 - f);
    gradient.out(d) = dh * tanh_c * o * (1 - o);
    gradient.candidate(d) = dc * i * (1 - g * g);
    dcell[at] = dc * f;
  }
};

}  // namespace orepa
