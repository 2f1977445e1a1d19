// Layers that map every number by itself, y = F::value(x), with a derivative that follows from y
// alone: F::slope(y). To add one, write the struct F and a class that derives from Elementwise<F>.
#pragma once
#include "orepa/layer.h"
#include "orepa/numbers.h"

namespace orepa {

template <class F>
struct ElementwiseForward {
  Numbers x, y;
  OREPA_HD void operator()(int64_t i) const { y.set(i, F::value(x[i])); }
};

template <class F>
struct ElementwiseBackward {
  Numbers y, dy, dx;
  OREPA_HD void operator()(int64_t i) const { dx.set(i, dy[i] * F::slope(y[i])); }
};

template <class F>
class Elementwise : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    setup.takes_bfloat16();
    setup.backward_reads_output(0);
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {setup.input(0)};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    parallel_for(pass.device(), x.count(), ElementwiseForward<F>{x, pass.output(0)});
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    parallel_for(pass.device(), dx.count(),
                 ElementwiseBackward<F>{pass.output(0), pass.output_gradient(0), dx});
  }
};

}  // namespace orepa
