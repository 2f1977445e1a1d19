#include "layers/loss_divisor.h"
#include "layers/pairs.h"

namespace orepa {
namespace {

template <class Order>
struct HalfSquare {
  Difference<Order> difference;
  OREPA_HD float operator()(int64_t i) const {
    const float d = difference(i);
    return d * d / 2;
  }
};

template <class Order>
struct Slope {
  Difference<Order> difference;
  OREPA_HD float operator()(int64_t, int64_t i) const { return difference(i); }
};

class EuclideanLoss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const Shape& a = setup.input(0);
    partner_ = PartnerOrder(setup, 1);
    divisor_.declare(setup, "BATCH_SIZE", a[0], a.count(), false);
    setup.backward_reads_input(0);
    setup.backward_reads_input(1);
    setup.loss(0);
    return {Shape{}};
  }
  void forward(Pass& pass) override {
    with_order(partner_, [&](const auto& order) {
      divisor_.divide(pass, HalfSquare{Difference(pass, order)});
    });
  }
  void backward(Pass& pass) override {
    with_order(partner_, [&](const auto& order) {
      backward_of_difference(pass, Slope{Difference(pass, order)}, order, divisor_.divisor(pass));
    });
  }

 private:
  PartnerOrder partner_;
  LossDivisor divisor_;
};

OREPA_LAYER(EuclideanLoss, "half the sum of (a - b)^2, a sample");

}  // namespace
}  // namespace orepa
