#include <cmath>

#include "layers/labels.h"
#include "layers/loss_divisor.h"

namespace orepa {
namespace {

constexpr float kLeast = 1e-20f;  // below which no probability counts as lying

// -log p of the true class, a sample.
struct SampleLoss {
  const float* p;
  LogicalOrder order;
  Labels labels;

  OREPA_HD int64_t place_of_truth(int64_t n) const {
    return order.stored(n * labels.classes + labels.truth(n));
  }
  OREPA_HD float of_truth(int64_t n) const {
    const float value = p[place_of_truth(n)];
    return value < kLeast ? kLeast : value;
  }
  OREPA_HD float operator()(int64_t n) const {
    return labels.is_class(n) ? -logf(of_truth(n)) : NAN;
  }
};

// By the probability of the true class; that by any other is 0.
struct Gradient {
  SampleLoss loss;
  const float *divisor, *dloss;
  float* dp;
  OREPA_HD void operator()(int64_t n) const {
    if (loss.labels.is_class(n))
      dp[loss.place_of_truth(n)] = -dloss[0] / divisor[0] / loss.of_truth(n);
  }
};

class MultinomialLogisticLoss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& p = setup.input(0);
    setup.require(p.rank() > 0, "takes probabilities of samples, got a scalar");
    loss_.order = LogicalOrder(p);
    loss_.labels = Labels::of_samples(setup, 1, p);
    divisor_.declare(setup, "BATCH_SIZE", p[0], p[0], false);
    setup.backward_reads_input(0);
    setup.backward_reads_input(1);
    setup.no_input_gradient(1);
    setup.loss(0);
    return {Shape{}};
  }
  void forward(Pass& pass) override { divisor_.divide(pass, loss(pass)); }
  void backward(Pass& pass) override {
    const Tensor dp = pass.input_gradient(0);
    pass.device().zero(dp.data, dp.bytes());
    parallel_for(pass.device(), dp.shape[0],
                 Gradient{loss(pass), divisor_.divisor(pass), pass.output_gradient(0).floats(),
                          dp.floats()});
  }
  std::optional<BadRow> bad_row(Pass& pass) const override {
    return loss_.labels.bad_row(pass.device(), pass.input(1));
  }

 private:
  SampleLoss loss(Pass& pass) const {
    SampleLoss loss = loss_;
    loss.p = pass.input(0).floats();
    loss.labels.label = pass.input(1).floats();
    return loss;
  }
  SampleLoss loss_{nullptr, LogicalOrder{Shape{}}, {}};
  LossDivisor divisor_;
};

OREPA_LAYER(MultinomialLogisticLoss, "-log of the true class's probability, a sample");

}  // namespace
}  // namespace orepa
