#include "layers/softmax.h"

#include "layers/axis.h"
#include "orepa/onnx_layer.h"

namespace orepa {
namespace {

// dx[k] = y[k] (dy[k] - sum_j dy[j] y[j])
struct Backward {
  AxisView view;
  const float *y, *dy;
  float* dx;
  template <class Team>
  OREPA_HD void operator()(int64_t i, Team team) const {
    if (view.inner == 1)  // loops of their own, which are vectorised
      run(view.position(i, 0), 1, team);
    else
      run(view.position(i, 0), view.inner, team);
  }

 private:
  // Of numbers that lie `stride` apart from `first` on.
  template <class Team>
  OREPA_HD void run(int64_t first, int64_t stride, Team team) const {
    float dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t k = team.first(); k < view.extent; k += team.step()) {
      const int64_t at = first + k * stride;
      dot += dy[at] * y[at];
    }
    dot = team.sum(dot);
#pragma omp simd
    for (int64_t k = team.first(); k < view.extent; k += team.step()) {
      const int64_t at = first + k * stride;
      dx[at] = y[at] * (dy[at] - dot);
    }
  }
};

class Softmax : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    view_ = AxisView::of(
        x, canonical_axis(setup, setup.options().message("softmax_param").integer("axis"), x));
    setup.output_may_overwrite_input(0, 0);
    setup.backward_reads_output(0);
    setup.input_gradient_may_overwrite(0);
    return {x};
  }
  void forward(Pass& pass) override {
    softmax_along_axis(pass.device(), view_, pass.input(0).floats(), pass.output(0).floats());
  }
  void backward(Pass& pass) override {
    parallel_teams(pass.device(), view_.positions(),
                   Backward{view_, pass.output(0).floats(), pass.output_gradient(0).floats(),
                            pass.input_gradient(0).floats()});
  }

 private:
  AxisView view_;
};

void write_onnx(const OnnxLayer& layer) {
  const int64_t axis = layer.options("softmax_param").integer("axis");
  layer.last("Softmax", layer.inputs, {{"axis", canonical_axis(axis, layer.output_shape)}});
}

OREPA_LAYER(Softmax, "exp(x) / sum of exp(x) along an axis").onnx(write_onnx);

}  // namespace
}  // namespace orepa
