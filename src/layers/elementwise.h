// Layers that map every number by itself, y = f.value(x), with a derivative that follows from x
// alone or from y alone. To add one, write a struct F that derives from NumberFunction, and a class
// that derives from Elementwise<F>.
#pragma once
#include "orepa/layer.h"
#include "orepa/numbers.h"

namespace orepa {

// What a derivative follows from; kNothing: it is a constant.
enum class SlopeOf { kInput, kOutput, kNothing };

// What an F has, and hides where it differs, besides
//   OREPA_HD float value(float x) const;
//   OREPA_HD float slope(float known) const;  // dy/dx, from what slope_of() says
struct NumberFunction {
  void read(const Setup&) {}  // options
  SlopeOf slope_of() const { return SlopeOf::kOutput; }
};

template <class F>
struct ElementwiseForward {
  F f;
  Numbers x, y;
  OREPA_HD void operator()(int64_t i) const { y.set(i, f.value(x[i])); }
};

template <class F>
struct ElementwiseBackward {
  F f;
  Numbers known, dy, dx;
  OREPA_HD void operator()(int64_t i) const { dx.set(i, dy[i] * f.slope(known[i])); }
};

template <class F>
class Elementwise : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    setup.takes_bfloat16();
    f_.read(setup);
    if (f_.slope_of() == SlopeOf::kInput) setup.backward_reads_input(0);
    if (f_.slope_of() == SlopeOf::kOutput) setup.backward_reads_output(0);
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {setup.input(0)};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    parallel_for(pass.device(), x.count(), ElementwiseForward<F>{f_, x, pass.output(0)});
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0), dy = pass.output_gradient(0);
    parallel_for(pass.device(), dx.count(), ElementwiseBackward<F>{f_, known(pass), dy, dx});
  }

 private:
  Tensor known(Pass& pass) const {
    switch (f_.slope_of()) {
      case SlopeOf::kInput:
        return pass.input(0);
      case SlopeOf::kOutput:
        return pass.output(0);
      default:
        return pass.output_gradient(0);  // any numbers: slope() does not look at them
    }
  }
  F f_;
};

}  // namespace orepa
