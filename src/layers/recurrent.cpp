#include "layers/recurrent.h"

#include <algorithm>
#include <limits>

#include "layers/arithmetic.h"

namespace orepa {

std::vector<Shape> Recurrent::setup(Setup& setup) {
  const Options options = setup.options().message("recurrent_param");
  setup.require(setup.ranks() == nullptr, "has bottoms of T x N, but several processes share each ",
                "batch by its first axis, which is time here; train with one");
  exposed_ = options.flag("expose_hidden");
  const int given = exposed_ ? states_ : 0;
  has_static_ = setup.inputs() == 3 + given;
  setup.require(setup.inputs() == 2 + given || has_static_,
                "takes x, cont, perhaps x_static, and with expose_hidden the first states: ",
                2 + given, " or ", 3 + given, " bottoms; got ", setup.inputs());
  const Shape& x = setup.input(0);
  setup.require(x.rank() >= 2, "bottom 0 must be T x N x ..., got ", x.str());
  steps_ = x[0];
  sequences_ = x[1];
  setup.require(setup.input(1) == Shape{steps_, sequences_}, "bottom 1, cont, must be ",
                Shape{steps_, sequences_}.str(), ", got ", setup.input(1).str());
  width_ = options.integer("num_output");
  setup.require(width_ > 0, "num_output must be positive, got ", width_);
  const int64_t columns = units_ * width_;
  const Filler weights = Filler::from(options, "weight_filler", Filler::constant(0));

  of_x_ = {steps_ * sequences_, columns, x.count(2, x.rank())};
  of_hidden_ = {sequences_, columns, width_};
  x_.setup(setup, 0);
  weight_ = setup.parameter("weight", {columns, of_x_.k}, weights);
  bias_ =
      setup.parameter("bias", {columns}, Filler::from(options, "bias_filler", Filler::constant(0)));
  if (has_static_) {
    const Shape& x_static = setup.input(2);
    setup.require(x_static.rank() >= 1 && x_static[0] == sequences_, "bottom 2, x_static, must be ",
                  sequences_, " x ..., got ", x_static.str());
    of_static_ = {sequences_, columns, x_static.count(1, x_static.rank())};
    x_static_.setup(setup, 2);
    static_weight_ = setup.parameter("static_weight", {columns, of_static_.k}, weights);
  }
  hidden_weight_ = setup.parameter("hidden_weight", {columns, width_}, weights);

  const Shape made{steps_, sequences_, columns};
  setup.require(made.fits(std::numeric_limits<int64_t>::max() / size_of(DType::kFloat32)),
                "what its steps compute would be ", made.str());
  made_ = setup.saved(made.bytes());
  if (has_static_)
    static_product_ = setup.scratch(Stage::kForward, Shape{sequences_, columns}.bytes());
  const Shape state{1, sequences_, width_}, y{steps_, sequences_, width_};
  std::vector<Shape> tops{y};
  for (int s = 0; s < states_; ++s) {
    carried_[s] = setup.saved(y.bytes());
    if (!exposed_) {
      kept_[s] = setup.state(s == 0 ? "hidden" : "cell", state);
      continue;
    }
    const Shape& first = setup.input(first_state() + s);
    setup.require(first == state, "bottom ", first_state() + s, ", a first state, must be ",
                  state.str(), ", got ", first.str());
    tops.push_back(state);
  }
  setup.no_input_gradient(1);
  if (!setup.backward()) return tops;
  if (steps_ > 1 || exposed_) setup.backward_reads_input(1);
  dinput_ = setup.scratch(Stage::kBackward, made.bytes());
  for (int s = 0; s < states_; ++s) dcarried_[s] = setup.scratch(Stage::kBackward, state.bytes());
  if (has_static_)
    dstatic_product_ = setup.scratch(Stage::kBackward, Shape{sequences_, columns}.bytes());
  sums_ = setup.scratch(Stage::kBackward,
                        std::max(reduce_columns_scratch(steps_ * sequences_, columns),
                                 reduce_columns_scratch(steps_, sequences_ * columns)));
  return tops;
}

// Into step t.
Passage Recurrent::passage(Pass& pass, int64_t t, float* states) const {
  return {states, pass.input(1).floats() + t * sequences_, width_};
}

const float* Recurrent::states_before(Pass& pass, int state) const {
  return exposed_ ? pass.input(first_state() + state).floats() : pass.floats(kept_[state]);
}

float* Recurrent::states_behind(Pass& pass, int state) const {
  return exposed_ ? pass.output(1 + state).floats() : pass.floats(kept_[state]);
}

void Recurrent::forward(Pass& pass) {
  Device& device = pass.device();
  x_.load(pass);
  of_x_.forward(device, x_.value(pass), pass.parameter(weight_).floats(), made(pass, 0));
  float* of_static = has_static_ ? pass.floats(static_product_) : nullptr;
  if (has_static_) {
    x_static_.load(pass);
    of_static_.forward(device, x_static_.value(pass), pass.parameter(static_weight_).floats(),
                       of_static);
  }
  for (int s = 0; s < states_; ++s)
    parallel_rows(
        device, sequences_, width_,
        ThroughPassage{passage(pass, 0, nullptr), states_before(pass, s), state(pass, s, 0)});
  for (int64_t t = 0; t < steps_; ++t) {
    of_hidden_.forward(device, state(pass, 0, t), pass.parameter(hidden_weight_).floats(),
                       made(pass, t), true);
    Passage next[2];
    for (int s = 0; s < states_; ++s)
      next[s] = t + 1 < steps_ ? passage(pass, t + 1, state(pass, s, t + 1))
                               : Passage{states_behind(pass, s), nullptr, width_};
    step(pass, t, {made(pass, t), pass.parameter(bias_).floats(), of_static, of_hidden_.n}, next);
  }
}

void Recurrent::backward(Pass& pass) {
  Device& device = pass.device();
  const bool first_wanted = exposed_ && pass.input_gradient(first_state());
  for (int64_t t = steps_ - 1; t >= 0; --t) {
    Passage next[2];
    for (int s = 0; s < states_; ++s)
      next[s] = t + 1 < steps_ ? passage(pass, t + 1, state_gradient(pass, s))
                               : Passage{exposed_ ? pass.output_gradient(1 + s).floats() : nullptr,
                                         nullptr, width_};
    float* dinput = pass.floats(dinput_) + t * sequences_ * of_hidden_.n;
    step_gradient(pass, t, next, dinput);
    if (t > 0 || first_wanted)
      of_hidden_.input_gradient(device, dinput, pass.parameter(hidden_weight_).floats(),
                                state_gradient(pass, 0));
  }
  for (int s = 0; exposed_ && s < states_; ++s)
    if (const Tensor dfirst = pass.input_gradient(first_state() + s))
      parallel_rows(
          device, sequences_, width_,
          ThroughPassage{passage(pass, 0, nullptr), state_gradient(pass, s), dfirst.floats()});
  if (pass.input_gradient(0)) {
    of_x_.input_gradient(device, pass.floats(dinput_), pass.parameter(weight_).floats(),
                         x_.gradient(pass));
    x_.store_gradient(pass);
  }
  weight_gradients(pass);
  if (has_static_) static_gradients(pass);
}

void Recurrent::weight_gradients(Pass& pass) {
  Device& device = pass.device();
  float* dinput = pass.floats(dinput_);
  if (const Tensor dweight = pass.gradient(weight_))
    of_x_.weight_gradient(device, dinput, x_.value(pass), dweight.floats(),
                          pass.accumulates(weight_));
  if (const Tensor dbias = pass.gradient(bias_))
    reduce_columns(device, of_x_.m, of_x_.n, Element{Tensor{dinput, {}}, of_x_.n}, dbias.floats(),
                   pass.accumulates(bias_), pass.floats(sums_));
  if (const Tensor dhidden_weight = pass.gradient(hidden_weight_))
    Dense{of_x_.m, of_x_.n, width_}.weight_gradient(device, dinput, state(pass, 0, 0),
                                                    dhidden_weight.floats(),
                                                    pass.accumulates(hidden_weight_));
}

// Every step has read x_static.
void Recurrent::static_gradients(Pass& pass) {
  const Tensor dweight = pass.gradient(static_weight_);
  const bool input_wanted = static_cast<bool>(pass.input_gradient(2));
  if (!dweight && !input_wanted) return;
  Device& device = pass.device();
  float* dproduct = pass.floats(dstatic_product_);
  const int64_t count = sequences_ * of_static_.n;
  reduce_columns(device, steps_, count, Element{Tensor{pass.floats(dinput_), {}}, count}, dproduct,
                 false, pass.floats(sums_));
  if (dweight)
    of_static_.weight_gradient(device, dproduct, x_static_.value(pass), dweight.floats(),
                               pass.accumulates(static_weight_));
  if (!input_wanted) return;
  of_static_.input_gradient(device, dproduct, pass.parameter(static_weight_).floats(),
                            x_static_.gradient(pass));
  x_static_.store_gradient(pass);
}

int64_t Recurrent::macs() const {
  return of_x_.macs() + of_static_.macs() + steps_ * of_hidden_.macs();
}

}  // namespace orepa
