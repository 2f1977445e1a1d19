#include <cfloat>

#include "layers/cross_entropy.h"
#include "layers/labels.h"

namespace orepa {
namespace {

// What the probabilities should be: a label, or a distribution over the classes, with label
// smoothing s: (1 - s) t[k] + s / classes.
struct Target {
  AxisView view;
  Labels labels;
  const float* distribution;  // laid out as the scores are; null where there are labels
  float smoothing;
  float least = FLT_MIN;

  OREPA_HD bool counts(int64_t i) const { return distribution != nullptr || labels.counts(i); }
  OREPA_HD bool is_sound(int64_t i) const { return distribution != nullptr || labels.is_class(i); }
  OREPA_HD int64_t only(int64_t i) const {
    return distribution == nullptr && smoothing == 0 ? labels.truth(i) : -1;
  }
  OREPA_HD float operator()(int64_t i, int64_t k) const {
    const float hit = distribution != nullptr ? distribution[view.position(i, k)]
                      : labels.truth(i) == k  ? 1.0f
                                              : 0.0f;
    return (1 - smoothing) * hit + smoothing / static_cast<float>(view.extent);
  }
  // 1 for labels.
  OREPA_HD float sum(int64_t i) const {
    if (distribution == nullptr) return 1;
    float sum = 0;
    for (int64_t k = 0; k < view.extent; ++k) sum += (*this)(i, k);
    return sum;
  }
};

class SoftmaxWithLoss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    const Options options = setup.options().message("loss_param");
    const int axis =
        canonical_axis(setup, setup.options().message("softmax_param").integer("axis"), x);
    view_ = AxisView::of(x, axis);
    setup.require(setup.inputs() == 2, "takes two bottoms, scores and labels; got ",
                  setup.inputs());
    distributions_ = setup.input(1) == x && view_.extent > 1;
    if (distributions_)
      setup.require(!options.has("ignore_label"),
                    "ignore_label is for labels, but the second bottom is distributions, ", x.str(),
                    ", as the scores are");
    else
      labels_ = Labels::read(setup, options, axis);
    smoothing_ = static_cast<float>(options.number("label_smoothing"));
    setup.require(smoothing_ >= 0 && smoothing_ < 1, "label_smoothing must lie in [0, 1), got ",
                  smoothing_);
    loss_.declare(setup, view_, LossDivisor::mode(options, "VALID"), x.count(0, axis),
                  !distributions_ && labels_.ignores);
    setup.backward_reads_input(1);
    setup.no_input_gradient(1);
    return loss_.outputs(x);
  }

  void forward(Pass& pass) override { loss_.forward(pass, target(pass)); }
  void backward(Pass& pass) override { loss_.backward(pass, target(pass)); }

  std::optional<BadRow> bad_row(Pass& pass) const override {
    if (distributions_) return std::nullopt;
    return labels_.bad_row(pass.device(), pass.input(1));
  }

 private:
  Target target(Pass& pass) const {
    const float* second = pass.input(1).floats();
    Target target{view_, labels_, distributions_ ? second : nullptr, smoothing_};
    target.labels.label = second;
    return target;
  }
  AxisView view_;
  Labels labels_{};
  bool distributions_ = false;
  float smoothing_ = 0;
  CrossEntropy<Target> loss_;
};

OREPA_LAYER(SoftmaxWithLoss, "cross entropy of softmax(scores) and labels or distributions");

}  // namespace
}  // namespace orepa
