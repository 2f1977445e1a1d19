#include <cmath>
#include <map>

#include "orepa/layer.h"
#include "orepa/numbers.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

constexpr int kMost = 16;  // bottoms: they travel inside the functors

struct Operands {
  Numbers x[kMost];
  float coefficient[kMost] = {};
  int count = 0;
  bool relu = false;
  OREPA_HD float open(float y) const { return relu && !(y > 0) ? 0.0f : y; }
};

// Two of them, by far the most common, as a type of its own, whose loops are vectorised.
struct TwoOperands {
  Numbers x[2];
  bool relu;
  static constexpr int count = 2;
  explicit TwoOperands(const Operands& in) : x{in.x[0], in.x[1]}, relu(in.relu) {}
  OREPA_HD float open(float y) const { return relu && !(y > 0) ? 0.0f : y; }
};

struct Sum {
  Operands in;
  Numbers y;
  OREPA_HD void operator()(int64_t i) const {
    float sum = 0;
    for (int k = 0; k < in.count; ++k) sum += in.coefficient[k] * in.x[k][i];
    y.set(i, in.open(sum));
  }
};

// The common cases, residual sums and the branches of a block, in one vectorised pass.
template <int kCount>
struct PlainSum {
  Numbers x[kCount];
  bool relu;
  Numbers y;
  explicit PlainSum(const Operands& in, const Tensor& y) : relu(in.relu), y(y) {
    for (int k = 0; k < kCount; ++k) x[k] = in.x[k];
  }
  OREPA_HD void operator()(int64_t i) const {
    float sum = x[0][i] + x[1][i];
    if constexpr (kCount > 2) sum += x[2][i];
    if constexpr (kCount > 3) sum += x[3][i];
    y.set(i, relu && !(sum > 0) ? 0.0f : sum);
  }
};

template <class Operands>
struct Product {
  Operands in;
  Numbers y;
  OREPA_HD void operator()(int64_t i) const {
    float product = 1;
    for (int k = 0; k < in.count; ++k) product *= in.x[k][i];
    y.set(i, in.open(product));
  }
};

// Caffe's ties: bottom 0 beats bottom 1 only where it is strictly greater; a later one wins only
// where it is.
template <class Operands>
struct Largest {
  Operands in;
  OREPA_HD int winner(int64_t i) const {
    int best = in.x[0][i] > in.x[1][i] ? 0 : 1;
    for (int k = 2; k < in.count; ++k)
      if (in.x[k][i] > in.x[best][i]) best = k;
    return best;
  }
};

template <class Operands>
struct Max {
  Largest<Operands> largest;
  Numbers y;
  OREPA_HD void operator()(int64_t i) const {
    y.set(i, largest.in.open(largest.in.x[largest.winner(i)][i]));
  }
};
template <>
struct Max<TwoOperands> {
  Largest<TwoOperands> largest;
  Numbers y;
  OREPA_HD void operator()(int64_t i) const {
    const float a = largest.in.x[0][i], b = largest.in.x[1][i];
    y.set(i, largest.in.open(a > b ? a : b));
  }
};

struct SumGradient {
  Numbers y, dy;
  float coefficient;
  bool relu;
  Numbers dx;
  OREPA_HD void operator()(int64_t i) const {
    const float gradient = coefficient * dy[i];  // loaded in any case, so that the loop vectorises
    dx.set(i, relu && !(y[i] > 0) ? 0.0f : gradient);
  }
};

template <class Operands>
struct ProductGradient {
  Operands in;
  Numbers y, dy;
  int which;
  Numbers dx;
  OREPA_HD void operator()(int64_t i) const {
    const float gradient = dy[i], top = y[i];
    float product = in.relu && !(top > 0) ? 0.0f : gradient;
    for (int k = 0; k < in.count; ++k)
      if (k != which) product *= in.x[k][i];
    dx.set(i, product);
  }
};

template <>
struct ProductGradient<TwoOperands> {
  Numbers other, y, dy;
  bool relu;
  Numbers dx;
  ProductGradient(const TwoOperands& in, const Tensor& y, const Tensor& dy, int which,
                  const Tensor& dx)
      : other(in.x[1 - which]), y(y), dy(dy), relu(in.relu), dx(dx) {}
  OREPA_HD void operator()(int64_t i) const {
    const float gradient = dy[i], top = y[i], factor = other[i];
    dx.set(i, relu && !(top > 0) ? 0.0f * factor : gradient * factor);
  }
};

template <class Operands>
struct MaxGradient {
  Largest<Operands> largest;
  Numbers y, dy;
  int which;
  Numbers dx;
  OREPA_HD void operator()(int64_t i) const {
    // All are loaded in any case, so that the loop vectorises.
    const float gradient = dy[i], top = y[i];
    const bool wins = largest.winner(i) == which, open = !largest.in.relu || top > 0;
    dx.set(i, wins && open ? gradient : 0.0f);
  }
};

class Eltwise : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("eltwise_param");
    setup.takes_bfloat16();
    operation_ = options.choice("operation");
    operands_.count = setup.inputs();
    operands_.relu = setup.absorbed("ReLU") != nullptr;
    setup.require(setup.inputs() >= 2 && setup.inputs() <= kMost, "takes 2 to ", kMost,
                  " bottoms, got ", setup.inputs());
    for (int i = 1; i < setup.inputs(); ++i)
      setup.require(setup.input(i) == setup.input(0), "bottom ", i, " is ", setup.input(i).str(),
                    ", but bottom 0 is ", setup.input(0).str());
    const std::vector<double> coefficients = options.numbers("coeff");
    setup.require(coefficients.empty() || operation_ == "SUM", "coeff is for operation SUM only");
    setup.require(coefficients.empty() || static_cast<int>(coefficients.size()) == setup.inputs(),
                  "needs one coeff a bottom, or none; got ", coefficients.size());
    bool plain = operation_ == "SUM";
    for (int i = 0; i < setup.inputs(); ++i) {
      operands_.coefficient[i] = coefficients.empty() ? 1.0f : static_cast<float>(coefficients[i]);
      plain = plain && operands_.coefficient[i] == 1;
      setup.output_may_overwrite_input(0, i);
      if (operation_ != "SUM") setup.backward_reads_input(i);
    }
    if (operands_.relu) setup.backward_reads_output(0);
    shared_ = plain;
    if (shared_) {
      setup.inputs_share_gradient();
      for (int i = 0; i < setup.inputs(); ++i) setup.input_gradient_may_overwrite(i);
    }
    return {setup.input(0)};
  }

  void forward(Pass& pass) override {
    const Operands in = bound(pass);
    const Tensor y = pass.output(0);
    Device& device = pass.device();
    if (shared_ && in.count == 2)
      parallel_for(device, y.count(), PlainSum<2>(in, y));
    else if (shared_ && in.count == 3)
      parallel_for(device, y.count(), PlainSum<3>(in, y));
    else if (shared_ && in.count == 4)
      parallel_for(device, y.count(), PlainSum<4>(in, y));
    else if (operation_ == "SUM")
      parallel_for(device, y.count(), Sum{in, y});
    else if (in.count == 2)
      combine(device, TwoOperands(in), y);
    else
      combine(device, in, y);
  }

  void backward(Pass& pass) override {
    const Tensor dy = pass.output_gradient(0);
    const Tensor y = operands_.relu ? pass.output(0) : dy;  // else any numbers: none counts
    for (int i = 0; i < (shared_ ? 1 : operands_.count); ++i) {
      const Tensor dx = pass.input_gradient(i);
      if (!dx || (shared_ && !operands_.relu && dx.data == dy.data)) continue;
      if (operation_ == "SUM")
        parallel_for(pass.device(), dx.count(),
                     SumGradient{y, dy, operands_.coefficient[i], operands_.relu, dx});
      else if (operands_.count == 2)
        differentiate(pass.device(), TwoOperands(bound(pass)), y, dy, i, dx);
      else
        differentiate(pass.device(), bound(pass), y, dy, i, dx);
    }
  }

 private:
  // PROD or MAX.
  template <class In>
  void combine(Device& device, const In& in, const Tensor& y) const {
    if (operation_ == "PROD")
      parallel_for(device, y.count(), Product<In>{in, y});
    else
      parallel_for(device, y.count(), Max<In>{{in}, y});
  }
  template <class In>
  void differentiate(Device& device, const In& in, const Tensor& y, const Tensor& dy, int which,
                     const Tensor& dx) const {
    if (operation_ == "PROD")
      parallel_for(device, dx.count(), ProductGradient<In>{in, y, dy, which, dx});
    else
      parallel_for(device, dx.count(), MaxGradient<In>{{in}, y, dy, which, dx});
  }
  Operands bound(Pass& pass) const {
    Operands in = operands_;
    for (int i = 0; i < in.count; ++i) in.x[i] = pass.input(i);
    return in;
  }
  std::string operation_;
  Operands operands_;
  bool shared_ = false;  // every bottom has the same gradient, which is the top's
};

std::vector<double> sum_factors(const LayerSpec& spec, size_t inputs) {
  const Options options = spec.options.message("eltwise_param");
  if (options.choice("operation") != "SUM") return {};
  const std::vector<double> given = options.numbers("coeff");
  return given.empty() ? std::vector<double>(inputs, 1.0) : given;
}

// Two by two, in the order of the bottoms: every reader takes nodes of two inputs.
void write_onnx(const OnnxLayer& layer) {
  const Options options = layer.options("eltwise_param");
  const std::map<std::string, std::string> types{{"SUM", "Add"}, {"PROD", "Mul"}, {"MAX", "Max"}};
  const std::string& type = types.at(options.choice("operation"));
  std::vector<std::string> terms = layer.inputs;
  const std::vector<double> coefficients = options.numbers("coeff");
  for (size_t i = 0; i < coefficients.size(); ++i)
    if (coefficients[i] != 1)
      terms[i] = layer.before(
          "Mul", {terms[i], layer.constant("coeff", {1}, {static_cast<float>(coefficients[i])})});
  for (size_t i = 1; i + 1 < terms.size(); ++i)
    terms[i] = layer.before(type, {terms[i - 1], terms[i]});
  layer.last(type, {terms[terms.size() - 2], terms.back()});
}

OREPA_LAYER(Eltwise, "SUM (with coefficients), PROD or MAX of bottoms of one shape")
    .keeps_channels()
    .adds(sum_factors)
    .onnx(write_onnx);

}  // namespace
}  // namespace orepa
