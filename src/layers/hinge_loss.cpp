#include "layers/labels.h"
#include "layers/loss_divisor.h"

namespace orepa {
namespace {

// Scores in rows as they are stored: the channels of a pixel, or a sample. Classes are counted in
// Caffe's order, where those of a channel stand together.
struct Rows {
  int64_t plane = 1, columns = 1;  // pixels of a sample, scores of a row
};

constexpr int32_t kElsewhere = -1, kNoClass = -2;

// The column of the true class in row r.
struct FindTruth {
  Rows rows;
  Labels labels;
  int32_t* truth;
  OREPA_HD void operator()(int64_t r) const {
    const int64_t sample = r / rows.plane;
    if (!labels.is_class(sample)) {
      truth[r] = kNoClass;
      return;
    }
    const int64_t k = labels.truth(sample);
    truth[r] = k % rows.plane == r % rows.plane ? static_cast<int32_t>(k / rows.plane) : kElsewhere;
  }
};

// max(0, 1 - x) of the true class, max(0, 1 + x) of the others.
struct Margin {
  const float* x;
  const int32_t* truth;
  int64_t columns;
  bool squared;

  OREPA_HD float sign(int64_t r, int64_t j) const {
    const float sign = truth[r] == static_cast<int32_t>(j) ? -1.0f : 1.0f;
    return truth[r] == kNoClass ? NAN : sign;
  }
  OREPA_HD float margin(int64_t r, int64_t j) const {
    const float margin = 1 + sign(r, j) * x[r * columns + j];
    return margin < 0 ? 0.0f : margin;  // NaN stays
  }
  OREPA_HD float operator()(int64_t r, int64_t j) const {
    const float value = margin(r, j);
    return squared ? value * value : value;
  }
  OREPA_HD float slope(int64_t r, int64_t j) const {
    const float value = margin(r, j);
    return sign(r, j) * (squared ? 2 * value : value > 0 ? 1.0f : 0.0f);
  }
};

struct Gradient {
  Margin margin;
  const float *divisor, *dloss;
  float* dx;
  OREPA_HD void operator()(int64_t r, int64_t j) const {
    dx[r * margin.columns + j] = dloss[0] / divisor[0] * margin.slope(r, j);
  }
};

class HingeLoss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& x = setup.input(0);
    setup.require(x.rank() > 0, "takes scores of samples, got a scalar");
    const LogicalOrder order(x);
    in_ = {order.plane, order.is_row_major() ? x.count() / x[0] : order.channels};
    rows_ = x.count() / in_.columns;
    truth_ = setup.saved(rows_ * int64_t{sizeof(int32_t)});
    squared_ = setup.options().message("hinge_loss_param").choice("norm") == "L2";
    labels_ = Labels::of_samples(setup, 1, x);
    divisor_.declare(setup, "BATCH_SIZE", x[0], x.count(), false, rows_);
    setup.backward_reads_input(0);
    setup.no_input_gradient(1);
    setup.loss(0);
    return {Shape{}};
  }
  void forward(Pass& pass) override {
    Labels labels = labels_;
    labels.label = pass.input(1).floats();
    parallel_for(pass.device(), rows_, FindTruth{in_, labels, truth(pass)});
    divisor_.divide_rows(pass, rows_, in_.columns, margin(pass));
  }
  void backward(Pass& pass) override {
    parallel_rows(pass.device(), rows_, in_.columns,
                  Gradient{margin(pass), divisor_.divisor(pass), pass.output_gradient(0).floats(),
                           pass.input_gradient(0).floats()});
  }
  std::optional<BadRow> bad_row(Pass& pass) const override {
    return labels_.bad_row(pass.device(), pass.input(1));
  }

 private:
  int32_t* truth(Pass& pass) const { return static_cast<int32_t*>(pass.memory(truth_)); }
  Margin margin(Pass& pass) const {
    return {pass.input(0).floats(), truth(pass), in_.columns, squared_};
  }
  Rows in_;
  Labels labels_{};
  bool squared_ = false;
  int64_t rows_ = 0;
  LossDivisor divisor_;
  Handle truth_ = -1;
};

OREPA_LAYER(HingeLoss, "one against all: max(0, 1 - x) of the true class, max(0, 1 + x) of others");

}  // namespace
}  // namespace orepa
