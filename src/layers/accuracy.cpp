#include "layers/labels.h"

namespace orepa {
namespace {

// Right where fewer than top_k other classes score at least as high as the true one: a tie counts
// against it, and so does a score that is no number, its own or another's.
struct Scores {
  AxisView view;
  const float* score;
  Labels labels;
  int64_t top_k;
  OREPA_HD bool right(int64_t i) const {
    const int64_t truth = labels.truth(i);
    const float of_truth = score[view.position(i, truth)];
    int64_t worse = 0;
    for (int64_t k = 0; k < view.extent; ++k) worse += score[view.position(i, k)] < of_truth;
    return view.extent - 1 - worse < top_k;
  }
};

// Sums over positions: of those that count, or of those that are right, of one class (c) or of all
// (row 0 of 1). NaN over all where a label is no class.
struct Count {
  Scores scores;
  bool right_only, by_class;
  OREPA_HD float operator()(int64_t c, int64_t i) const {
    const Labels& labels = scores.labels;
    if (!labels.counts(i)) return 0;
    if (!labels.is_class(i)) return by_class ? 0.0f : NAN;
    if (by_class && labels.truth(i) != c) return 0;
    return !right_only || scores.right(i) ? 1.0f : 0.0f;
  }
};

struct Ratio {
  const float* counted;
  float* right;
  OREPA_HD void operator()(int64_t c) const {
    right[c] = counted[c] == 0 ? 0.0f : right[c] / counted[c];
  }
};

class Accuracy : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("accuracy_param");
    const Shape& x = setup.input(0);
    const int axis = canonical_axis(setup, options.integer("axis"), x);
    scores_.view = AxisView::of(x, axis);
    scores_.top_k = options.integer("top_k");
    setup.require(setup.inputs() == 2, "takes two bottoms, scores and labels; got ",
                  setup.inputs());
    scores_.labels = Labels::read(setup, options, axis);
    setup.require(scores_.top_k >= 1 && scores_.top_k <= scores_.view.extent,
                  "top_k must lie between 1 and the number of classes ", scores_.view.extent,
                  ", got ", scores_.top_k);
    counted_ = setup.scratch(Stage::kForward, scores_.view.extent * int64_t{sizeof(float)});
    setup.forward_only();
    setup.require(setup.outputs() == 1 || setup.outputs() == 2,
                  "makes the accuracy and, as a second top, that of every class");
    by_class_ = setup.outputs() == 2;
    if (by_class_) return {Shape{}, Shape{scores_.view.extent}};
    return {Shape{}};
  }

  void forward(Pass& pass) override {
    measure(pass, pass.output(0), false);
    if (by_class_) measure(pass, pass.output(1), true);
  }

  std::optional<BadRow> bad_row(Pass& pass) const override {
    return scores_.labels.bad_row(pass.device(), pass.input(1));
  }

 private:
  void measure(Pass& pass, const Tensor& out, bool by_class) {
    Scores scores = scores_;
    scores.score = pass.input(0).floats();
    scores.labels.label = pass.input(1).floats();
    const int64_t rows = out.count(), positions = scores.view.positions();
    float* counted = pass.floats(counted_);
    reduce_rows(pass.device(), rows, positions, Count{scores, false, by_class}, counted);
    reduce_rows(pass.device(), rows, positions, Count{scores, true, by_class}, out.floats());
    parallel_for(pass.device(), rows, Ratio{counted, out.floats()});
  }
  Scores scores_{};
  bool by_class_ = false;
  Handle counted_ = -1;
};

OREPA_LAYER(Accuracy, "share of predictions whose true class is among the top_k");

}  // namespace
}  // namespace orepa
