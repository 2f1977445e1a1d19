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

  OREPA_HD float of_truth(int64_t n) const {
    const float value = p[order.stored(n * labels.classes + labels.truth(n))];
    return value < kLeast ? kLeast : value;
  }
  OREPA_HD float operator()(int64_t n) const {
    return labels.is_class(n) ? -logf(of_truth(n)) : NAN;
  }
};

struct Gradient {
  SampleLoss loss;
  const float *divisor, *dloss;
  float* dp;
  OREPA_HD void operator()(int64_t n, int64_t k) const {
    const bool truth = loss.labels.is_class(n) && loss.labels.truth(n) == k;
    dp[loss.order.stored(n * loss.labels.classes + k)] =
        truth ? -dloss[0] / divisor[0] / loss.of_truth(n) : 0.0f;
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
    parallel_rows(pass.device(), dp.shape[0], loss_.labels.classes,
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
