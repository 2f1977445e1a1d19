#include <cmath>

#include "orepa/layer.h"
#include "orepa/parallel.h"

namespace orepa {
namespace {

struct Forward {
  const float* x;
  float* y;
  OREPA_HD void operator()(int64_t i) const { y[i] = 1 / (1 + expf(-x[i])); }
};

struct Backward {
  const float *y, *dy;
  float* dx;
  OREPA_HD void operator()(int64_t i) const { dx[i] = dy[i] * y[i] * (1 - y[i]); }
};

class Sigmoid : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    setup.backward_reads_output(0);
    setup.output_may_overwrite_input(0, 0);
    setup.input_gradient_may_overwrite(0);
    return {setup.input(0)};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    parallel_for(pass.device(), x.count(), Forward{x.data, pass.output(0).data});
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    parallel_for(pass.device(), dx.count(),
                 Backward{pass.output(0).data, pass.output_gradient(0).data, dx.data});
  }
};

OREPA_LAYER(Sigmoid, "y = 1 / (1 + exp(-x))");

}  // namespace
}  // namespace orepa
