#include <algorithm>
#include <cmath>
#include <iterator>

#include "layers/loss_divisor.h"
#include "layers/pairs.h"

namespace orepa {
namespace {

// d = inside (a - b); outside f(d), where f is (sigma d)^2 / 2 up to |d| = 1 / sigma^2, and beyond
// it |d| - 1 / (2 sigma^2).
template <class Order>
struct Weights {
  const float* weight;
  Order order;
  OREPA_HD float operator()(int64_t i) const { return weight[order(i)]; }
};
struct NoWeights {
  OREPA_HD float operator()(int64_t) const { return 1; }
};

template <class Order, class Inside, class Outside>
struct Terms {
  Difference<Order> plain;
  Inside inside;
  Outside outside;
  float sigma2;

  OREPA_HD float difference(int64_t i) const { return inside(i) * plain(i); }
  OREPA_HD float operator()(int64_t i) const {
    const float d = difference(i), size = fabsf(d);
    return outside(i) * (size < 1 / sigma2 ? sigma2 * d * d / 2 : size - 0.5f / sigma2);
  }
};

// Of a term, by number i of a.
template <class Terms>
struct Slope {
  Terms terms;
  OREPA_HD float operator()(int64_t, int64_t i) const {
    const float d = terms.difference(i);
    const float slope = fabsf(d) < 1 / terms.sigma2 ? terms.sigma2 * d : d > 0 ? 1.0f : -1.0f;
    return terms.outside(i) * slope * terms.inside(i);
  }
};

// With weights, as a third and fourth bottom, of the differences and of the terms.
class SmoothL1Loss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const double sigma = setup.options().message("smooth_l1_loss_param").number("sigma");
    setup.require(sigma > 0, "sigma must be positive, got ", sigma);
    sigma2_ = static_cast<float>(sigma * sigma);
    const Shape& a = setup.input(0);
    inputs_ = setup.inputs();
    setup.require(inputs_ >= 2 && inputs_ <= 4,
                  "takes two bottoms, and as a third and fourth weights of the differences and of ",
                  "the terms; got ", inputs_);
    for (int i = 1; i < inputs_; ++i) orders_[i - 1] = PartnerOrder(setup, i);
    divisor_.declare(setup, "BATCH_SIZE", a[0], a.count(), false);
    for (int i = 0; i < inputs_; ++i) setup.backward_reads_input(i);
    for (int i = 2; i < inputs_; ++i) setup.no_input_gradient(i);
    setup.loss(0);
    return {Shape{}};
  }
  void forward(Pass& pass) override {
    with_terms(pass, [&](const auto& terms) { divisor_.divide(pass, terms); });
  }
  void backward(Pass& pass) override {
    with_terms(pass, [&](const auto& terms) {
      backward_of_difference(pass, Slope{terms}, terms.plain.partner, divisor_.divisor(pass));
    });
  }

 private:
  // Calls f with the terms as the simplest type that says them.
  template <class F>
  void with_terms(Pass& pass, const F& f) const {
    if (std::all_of(std::begin(orders_), std::end(orders_),
                    [](const PartnerOrder& order) { return order.is_same(); }))
      with_weights<SameOrder>(pass, f);
    else
      with_weights<PartnerOrder>(pass, f);
  }
  template <class Order, class F>
  void with_weights(Pass& pass, const F& f) const {
    const auto order = [&](int i) { return Order(orders_[i - 1]); };
    const auto weights = [&](int i) { return Weights{pass.input(i).floats(), order(i)}; };
    const Difference plain(pass, order(1));
    if (inputs_ == 2)
      f(Terms{plain, NoWeights(), NoWeights(), sigma2_});
    else if (inputs_ == 3)
      f(Terms{plain, weights(2), NoWeights(), sigma2_});
    else
      f(Terms{plain, weights(2), weights(3), sigma2_});
  }
  int inputs_ = 2;
  PartnerOrder orders_[3];  // of bottoms 1, 2 and 3
  float sigma2_ = 1;
  LossDivisor divisor_;
};

OREPA_LAYER(SmoothL1Loss, "the sum of |a - b|, squared where it is small, a sample");

}  // namespace
}  // namespace orepa
