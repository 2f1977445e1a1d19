#include <cmath>

#include "layers/loss_divisor.h"
#include "layers/pairs.h"

namespace orepa {
namespace {

// A target is the probability that a score stands for, or `ignored` as a whole number.
struct Targets {
  const float *x, *target;
  PartnerOrder partner;
  int64_t ignored;
  bool ignores;
  OREPA_HD float operator()(int64_t i) const { return target[partner(i)]; }
  OREPA_HD bool counts(int64_t i) const {
    return !ignores || static_cast<int64_t>((*this)(i)) != ignored;
  }
};

// -t log s(x) - (1 - t) log(1 - s(x)), where s is the sigmoid, without an exp that overflows.
struct ScoreLoss {
  Targets targets;
  OREPA_HD float operator()(int64_t i) const {
    if (!targets.counts(i)) return 0;
    const float x = targets.x[i], positive = x >= 0 ? 1.0f : 0.0f;
    return logf(1 + expf(x - 2 * x * positive)) - x * (targets(i) - positive);
  }
};

struct Counts {
  Targets targets;
  OREPA_HD float operator()(int64_t i) const { return targets.counts(i) ? 1.0f : 0.0f; }
};

struct Gradient {
  Targets targets;
  const float *divisor, *dloss;
  float* dx;
  OREPA_HD void operator()(int64_t i) const {
    const float probability = 1 / (1 + expf(-targets.x[i]));
    dx[i] = targets.counts(i) ? dloss[0] / divisor[0] * (probability - targets(i)) : 0.0f;
  }
};

class SigmoidCrossEntropyLoss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("loss_param");
    const Shape& x = setup.input(0);
    targets_.partner = PartnerOrder(setup, 1);
    targets_.ignored = options.integer("ignore_label");
    targets_.ignores = options.has("ignore_label");
    divisor_.declare(setup, LossDivisor::mode(options, "BATCH_SIZE"), x[0], x.count(),
                     targets_.ignores);
    setup.backward_reads_input(0);
    setup.backward_reads_input(1);
    setup.no_input_gradient(1);
    setup.loss(0);
    return {Shape{}};
  }
  void forward(Pass& pass) override {
    const Targets targets = bound(pass);
    divisor_.divide(pass, ScoreLoss{targets}, Counts{targets});
  }
  void backward(Pass& pass) override {
    const Tensor dx = pass.input_gradient(0);
    parallel_for(pass.device(), dx.count(),
                 Gradient{bound(pass), divisor_.divisor(pass), pass.output_gradient(0).floats(),
                          dx.floats()});
  }

 private:
  Targets bound(Pass& pass) const {
    Targets targets = targets_;
    targets.x = pass.input(0).floats();
    targets.target = pass.input(1).floats();
    return targets;
  }
  Targets targets_{};
  LossDivisor divisor_;
};

OREPA_LAYER(SigmoidCrossEntropyLoss, "cross entropy of sigmoid(scores) and probabilities");

}  // namespace
}  // namespace orepa
