#include "layers/labels.h"
#include "layers/loss_divisor.h"

namespace orepa {
namespace {

// Of score k of a sample: max(0, 1 - x) of the true class, max(0, 1 + x) of the others.
struct Margin {
  const float* x;
  LogicalOrder order;
  Labels labels;
  bool squared;

  OREPA_HD float sign(int64_t i) const {  // i: in Caffe's order
    const int64_t sample = i / labels.classes;
    if (!labels.is_class(sample)) return NAN;
    return labels.truth(sample) == i % labels.classes ? -1.0f : 1.0f;
  }
  OREPA_HD float margin(int64_t i) const {
    const float margin = 1 + sign(i) * x[order.stored(i)];
    return margin < 0 ? 0.0f : margin;  // NaN stays
  }
  OREPA_HD float operator()(int64_t i) const {
    const float value = margin(i);
    return squared ? value * value : value;
  }
  OREPA_HD float slope(int64_t i) const {
    const float value = margin(i);
    return sign(i) * (squared ? 2 * value : value > 0 ? 1.0f : 0.0f);
  }
};

struct Gradient {
  Margin margin;
  const float *divisor, *dloss;
  float* dx;
  OREPA_HD void operator()(int64_t i) const {
    dx[margin.order.stored(i)] = dloss[0] / divisor[0] * margin.slope(i);
  }
};

class HingeLoss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    setup.require(x.rank() > 0, "takes scores of samples, got a scalar");
    margin_.order = LogicalOrder(x);
    margin_.squared = setup.options().message("hinge_loss_param").choice("norm") == "L2";
    margin_.labels = Labels::of_samples(setup, 1, x);
    divisor_.declare(setup, "BATCH_SIZE", x[0], x.count(), false);
    setup.backward_reads_input(0);
    setup.backward_reads_input(1);
    setup.no_input_gradient(1);
    setup.loss(0);
    return {Shape{}};
  }
  void forward(Pass& pass) override { divisor_.divide(pass, margin(pass)); }
  void backward(Pass& pass) override {
    parallel_for(pass.device(), pass.input(0).count(),
                 Gradient{margin(pass), divisor_.divisor(pass), pass.output_gradient(0).floats(),
                          pass.input_gradient(0).floats()});
  }
  std::optional<BadRow> bad_row(Pass& pass) const override {
    return margin_.labels.bad_row(pass.device(), pass.input(1));
  }

 private:
  Margin margin(Pass& pass) const {
    Margin margin = margin_;
    margin.x = pass.input(0).floats();
    margin.labels.label = pass.input(1).floats();
    return margin;
  }
  Margin margin_{nullptr, LogicalOrder{Shape{}}, {}, false};
  LossDivisor divisor_;
};

OREPA_LAYER(HingeLoss, "one against all: max(0, 1 - x) of the true class, max(0, 1 + x) of others");

}  // namespace
}  // namespace orepa
