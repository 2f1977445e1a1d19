#include <cfloat>

#include "layers/labels.h"
#include "layers/softmax.h"

namespace orepa {
namespace {

// What the probabilities should be: a label, or a distribution over the classes, with label
// smoothing s: (1 - s) t[k] + s / classes.
struct Target {
  AxisView view;
  Labels labels;
  const float* distribution;  // laid out as the scores are; null where there are labels
  float smoothing;

  OREPA_HD bool counts(int64_t i) const { return distribution != nullptr || labels.counts(i); }
  OREPA_HD bool is_sound(int64_t i) const { return distribution != nullptr || labels.is_class(i); }
  // Whether all but the label's class weigh nothing.
  OREPA_HD bool is_label() const { return distribution == nullptr && smoothing == 0; }
  OREPA_HD float operator()(int64_t i, int64_t k) const {
    const float hit = distribution != nullptr ? distribution[view.position(i, k)]
                      : labels.truth(i) == k  ? 1.0f
                                              : 0.0f;
    return (1 - smoothing) * hit + smoothing / static_cast<float>(view.extent);
  }
  // Over the classes; 1 for labels.
  OREPA_HD float sum(int64_t i) const {
    if (distribution == nullptr) return 1;
    float sum = 0;
    for (int64_t k = 0; k < view.extent; ++k) sum += (*this)(i, k);
    return sum;
  }
};

// The loss of one position: -sum_k target[k] log max(p[k], FLT_MIN). NaN where a score is not
// finite, and for a label that is no class, so that training stops at once instead of learning
// nonsense.
struct PositionLoss {
  Target target;
  const float* p;
  OREPA_HD float log_of(int64_t i, int64_t k) const {
    const float value = p[target.view.position(i, k)];
    return logf(value < FLT_MIN ? FLT_MIN : value);
  }
  OREPA_HD float operator()(int64_t i) const {
    if (!target.counts(i)) return 0;
    if (!target.is_sound(i)) return NAN;
    if (target.is_label()) return -log_of(i, target.labels.truth(i));
    float loss = 0;
    for (int64_t k = 0; k < target.view.extent; ++k) loss -= target(i, k) * log_of(i, k);
    return loss;
  }
};

struct Counted {
  Target target;
  OREPA_HD float operator()(int64_t i) const { return target.counts(i) ? 1.0f : 0.0f; }
};

// normalizer[0] becomes max(1, fixed) or, where fixed < 0, max(1, what was counted there).
struct Normalize {
  const float* total;
  float fixed;
  float *normalizer, *loss;
  OREPA_HD void operator()(int64_t) const {
    const float by = fixed < 0 ? normalizer[0] : fixed;
    normalizer[0] = by > 1 ? by : 1.0f;
    loss[0] = total[0] / normalizer[0];
  }
};

struct Gradient {
  Target target;
  const float *p, *normalizer, *dloss;
  float* dx;
  OREPA_HD void operator()(int64_t i) const {
    const float weight = target.counts(i) ? dloss[0] / normalizer[0] : 0.0f;
    const float sum = target.sum(i);
    for (int64_t k = 0; k < target.view.extent; ++k) {
      const int64_t at = target.view.position(i, k);
      dx[at] = weight * (p[at] * sum - target(i, k));
    }
  }
};

// The second top is for looking at: as in Caffe, no gradient flows back through it.
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
    const bool legacy = options.has("normalize") && !options.has("normalization");
    const std::string normalization = legacy ? (options.flag("normalize") ? "VALID" : "BATCH_SIZE")
                                             : options.choice("normalization");
    // Of the whole batch, where this net has a part of it.
    const BatchRows rows = setup.rows();
    const auto whole = [&](int64_t count) {
      return static_cast<float>(rows.count > 0 ? count * rows.whole / rows.count : count);
    };
    const bool ignores = !distributions_ && labels_.ignores;
    if (normalization == "FULL" || !ignores) fixed_ = whole(view_.positions());
    if (normalization == "BATCH_SIZE") fixed_ = whole(x[0]);
    if (normalization == "NONE") fixed_ = 1;
    ranks_ = setup.ranks();
    probability_ = setup.saved(x.bytes());
    normalizer_ = setup.saved(sizeof(float));
    total_ = setup.scratch(Stage::kForward, sizeof(float));
    partial_ = setup.scratch(Stage::kForward, reduce_all_scratch(view_.positions()));
    setup.backward_reads_input(1);
    setup.no_input_gradient(1);
    setup.loss(0);
    setup.require(setup.outputs() <= 2, "makes the loss and, as a second top, the probabilities");
    has_probability_top_ = setup.outputs() == 2;
    if (has_probability_top_) return {Shape{}, x};
    return {Shape{}};
  }

  void forward(Pass& pass) override {
    float *p = pass.floats(probability_), *normalizer = pass.floats(normalizer_);
    float* total = pass.floats(total_);
    const Target target = bound(pass);
    auto* partial = static_cast<double*>(pass.memory(partial_));
    const int64_t positions = view_.positions();
    parallel_teams(pass.device(), positions, SoftmaxAlongAxis{view_, pass.input(0).floats(), p});
    reduce_all(pass.device(), positions, PositionLoss{target, p}, total, partial);
    if (fixed_ < 0) {
      reduce_all(pass.device(), positions, Counted{target}, normalizer, partial);
      if (ranks_ != nullptr) {
        ranks_->start_sum({normalizer, 1, Communicator::Numbers::Type::kFloat32});
        ranks_->finish_sums();
      }
    }
    parallel_for(pass.device(), 1, Normalize{total, fixed_, normalizer, pass.output(0).floats()});
    if (has_probability_top_)
      pass.device().copy(pass.output(1).floats(), p, pass.output(1).bytes());
  }

  void backward(Pass& pass) override {
    parallel_for(pass.device(), view_.positions(),
                 Gradient{bound(pass), pass.floats(probability_), pass.floats(normalizer_),
                          pass.output_gradient(0).floats(), pass.input_gradient(0).floats()});
  }

  std::optional<BadRow> bad_row(Pass& pass) const override {
    if (distributions_) return std::nullopt;
    return labels_.bad_row(pass.device(), pass.input(1));
  }

 private:
  Target bound(Pass& pass) const {
    const float* second = pass.input(1).floats();
    Target target{view_, labels_, distributions_ ? second : nullptr, smoothing_};
    target.labels.label = second;
    return target;
  }
  AxisView view_;
  Labels labels_{};
  bool distributions_ = false;
  float smoothing_ = 0;
  float fixed_ = -1;  // the normalizer; negative: the number of labels that count
  bool has_probability_top_ = false;
  Communicator* ranks_ = nullptr;  // who have other labels of the batch
  Handle probability_ = -1, normalizer_ = -1, total_ = -1, partial_ = -1;
};

OREPA_LAYER(SoftmaxWithLoss, "cross entropy of softmax(scores) and labels or distributions");

}  // namespace
}  // namespace orepa
