#include <cmath>

#include "layers/loss_divisor.h"
#include "layers/pairs.h"

namespace orepa {
namespace {

template <class Order>
struct SquaredDistance {
  Difference<Order> difference;
  int64_t columns;
  OREPA_HD double operator()(int64_t n, int64_t j) const {
    const double d = difference(n * columns + j);
    return d * d;
  }
};

// Half of d^2 for a pair that is similar, else of max(0, margin - d)^2; as Caffe's older version
// has it, of max(0, margin - d^2).
struct PairLoss {
  const float *squares, *similar;
  float margin;
  bool legacy;

  OREPA_HD bool is_similar(int64_t n) const { return static_cast<int64_t>(similar[n]) != 0; }
  OREPA_HD float operator()(int64_t n) const {
    const float square = squares[n];
    if (is_similar(n)) return square / 2;
    const float missing = margin - (legacy ? square : sqrtf(square));
    if (missing < 0) return 0;  // NaN stays
    return (legacy ? missing : missing * missing) / 2;
  }
  // By a, over a - b. Caffe's, which keeps away from a distance of 0.
  OREPA_HD float slope(int64_t n) const {
    if (is_similar(n)) return 1;
    const float distance = sqrtf(squares[n]);
    const float missing = margin - (legacy ? squares[n] : distance);
    if (!(missing > 0)) return 0;
    return legacy ? -1.0f : -missing / (distance + 1e-4f);
  }
};

// Of number i of a.
template <class Order>
struct Slope {
  Difference<Order> difference;
  PairLoss pairs;
  OREPA_HD float operator()(int64_t n, int64_t i) const { return pairs.slope(n) * difference(i); }
};

class ContrastiveLoss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Options options = setup.options().message("contrastive_loss_param");
    const Shape &a = setup.input(0), &similar = setup.input(2);
    partner_ = PartnerOrder(setup, 1);
    samples_ = a[0];
    columns_ = a.count() / samples_;
    setup.require(similar.count() == samples_, "needs one number a pair, whether it is similar, ",
                  samples_, " for bottoms of ", a.str(), "; bottom 2 is ", similar.str());
    margin_ = static_cast<float>(options.number("margin"));
    legacy_ = options.flag("legacy_version");
    divisor_.declare(setup, "BATCH_SIZE", samples_, samples_, false);
    squares_ = setup.saved(samples_ * int64_t{sizeof(float)});
    for (int i = 0; i < 3; ++i) setup.backward_reads_input(i);
    setup.no_input_gradient(2);
    setup.loss(0);
    return {Shape{}};
  }
  void forward(Pass& pass) override {
    with_order(partner_, [&](const auto& order) {
      reduce_rows(pass.device(), samples_, columns_,
                  SquaredDistance{Difference(pass, order), columns_}, pass.floats(squares_));
    });
    divisor_.divide(pass, pairs(pass));
  }
  void backward(Pass& pass) override {
    with_order(partner_, [&](const auto& order) {
      backward_of_difference(pass, Slope{Difference(pass, order), pairs(pass)}, order,
                             divisor_.divisor(pass));
    });
  }

 private:
  PairLoss pairs(Pass& pass) const {
    return {pass.floats(squares_), pass.input(2).floats(), margin_, legacy_};
  }
  PartnerOrder partner_;
  int64_t samples_ = 0, columns_ = 0;
  float margin_ = 1;
  bool legacy_ = false;
  Handle squares_ = -1;
  LossDivisor divisor_;
};

OREPA_LAYER(ContrastiveLoss, "draws similar pairs together and pushes others a margin apart");

}  // namespace
}  // namespace orepa
