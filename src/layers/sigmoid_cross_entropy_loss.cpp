#include "layers/exponential.h"
#include "layers/loss_divisor.h"
#include "layers/pairs.h"

namespace orepa {
namespace {

// A target is the probability that a score stands for, or `ignored` as a whole number.
template <class Order>
struct Targets {
  const float *x, *target;
  Order partner;
  int32_t ignored;
  bool ignores;
  OREPA_HD float operator()(int64_t i) const { return target[partner(i)]; }
  OREPA_HD bool counts(int64_t i) const {  // without a branch: loops over it are vectorised
    return (!ignores) | (static_cast<int32_t>((*this)(i)) != ignored);
  }
};

// -t log s(x) - (1 - t) log(1 - s(x)), where s is the sigmoid, without an exp that overflows.
template <class Order>
struct ScoreLoss {
  Targets<Order> targets;
  int64_t columns;
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const int64_t i = r * columns + j;
    const float x = targets.x[i], positive = x >= 0 ? 1.0f : 0.0f;
    const float loss =
        logarithm_of_one_and(exponential(x - 2 * x * positive)) - x * (targets(i) - positive);
    return targets.counts(i) ? loss : 0.0f;
  }
};

template <class Order>
struct Counts {
  Targets<Order> targets;
  OREPA_HD float operator()(int64_t i) const { return targets.counts(i) ? 1.0f : 0.0f; }
};

template <class Order>
struct Gradient {
  Targets<Order> targets;
  const float *divisor, *dloss;
  float* dx;
  OREPA_HD void operator()(int64_t i) const {
    const float d = dloss[0] / divisor[0] * (logistic(targets.x[i]) - targets(i));
    dx[i] = targets.counts(i) ? d : 0.0f;
  }
};

class SigmoidCrossEntropyLoss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("loss_param");
    const Shape& x = setup.input(0);
    partner_ = PartnerOrder(setup, 1);
    ignored_ = static_cast<int32_t>(options.integer("ignore_label"));
    ignores_ = options.has("ignore_label");
    divisor_.declare(setup, LossDivisor::mode(options, "BATCH_SIZE"), x[0], x.count(), ignores_,
                     x[0]);
    setup.backward_reads_input(0);
    setup.backward_reads_input(1);
    setup.no_input_gradient(1);
    setup.loss(0);
    return {Shape{}};
  }
  void forward(Pass& pass) override {
    const Tensor x = pass.input(0);
    const int64_t samples = x.shape[0], columns = x.count() / samples;
    with_order(partner_, [&](const auto& order) {
      const auto targets = bound(pass, order);
      divisor_.divide_rows(pass, samples, columns, ScoreLoss{targets, columns}, Counts{targets});
    });
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    with_order(partner_, [&](const auto& order) {
      parallel_for(pass.device(), dx.count(),
                   Gradient{bound(pass, order), divisor_.divisor(pass),
                            pass.output_gradient(0).floats(), dx.floats()});
    });
  }

 private:
  template <class Order>
  Targets<Order> bound(Pass& pass, const Order& order) const {
    return {pass.input(0).floats(), pass.input(1).floats(), order, ignored_, ignores_};
  }
  PartnerOrder partner_;
  int32_t ignored_ = 0;
  bool ignores_ = false;
  LossDivisor divisor_;
};

OREPA_LAYER(SigmoidCrossEntropyLoss, "cross entropy of sigmoid(scores) and probabilities");

}  // namespace
}  // namespace orepa
