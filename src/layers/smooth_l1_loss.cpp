#include <cmath>

#include "layers/loss_divisor.h"
#include "layers/pairs.h"

namespace orepa {
namespace {

// d = inside (a - b); outside f(d), where f is (sigma d)^2 / 2 up to |d| = 1 / sigma^2, and beyond
// it |d| - 1 / (2 sigma^2).
struct Terms {
  Difference plain;
  const float *inside, *outside;  // may be null: 1
  PartnerOrder inside_order, outside_order;
  float sigma2;

  OREPA_HD float inner(int64_t i) const {
    return inside == nullptr ? 1.0f : inside[inside_order(i)];
  }
  OREPA_HD float outer(int64_t i) const {
    return outside == nullptr ? 1.0f : outside[outside_order(i)];
  }
  OREPA_HD float difference(int64_t i) const { return inner(i) * plain(i); }
  OREPA_HD float operator()(int64_t i) const {
    const float d = difference(i), size = fabsf(d);
    return outer(i) * (size < 1 / sigma2 ? sigma2 * d * d / 2 : size - 0.5f / sigma2);
  }
};

// Of a term, by number i of a.
struct Slope {
  Terms terms;
  OREPA_HD float operator()(int64_t i) const {
    const float d = terms.difference(i);
    const float slope = fabsf(d) < 1 / terms.sigma2 ? terms.sigma2 * d : d > 0 ? 1.0f : -1.0f;
    return terms.outer(i) * slope * terms.inner(i);
  }
};

// With weights, as a third and fourth bottom, of the differences and of the terms.
class SmoothL1Loss : public Layer {
 public:
  std::vector<Shape> setup(Setup& setup) override {
    const double sigma = setup.options().message("smooth_l1_loss_param").number("sigma");
    setup.require(sigma > 0, "sigma must be positive, got ", sigma);
    terms_.sigma2 = static_cast<float>(sigma * sigma);
    const Shape& a = setup.input(0);
    inputs_ = setup.inputs();
    setup.require(inputs_ >= 2 && inputs_ <= 4,
                  "takes two bottoms, and as a third and fourth weights of the differences and of ",
                  "the terms; got ", inputs_);
    PartnerOrder* const orders[] = {&terms_.plain.partner, &terms_.inside_order,
                                    &terms_.outside_order};
    for (int i = 1; i < inputs_; ++i) *orders[i - 1] = PartnerOrder(setup, i);
    divisor_.declare(setup, "BATCH_SIZE", a[0], a.count(), false);
    for (int i = 0; i < inputs_; ++i) setup.backward_reads_input(i);
    for (int i = 2; i < inputs_; ++i) setup.no_input_gradient(i);
    setup.loss(0);
    return {Shape{}};
  }
  void forward(Pass& pass) override { divisor_.divide(pass, terms(pass)); }
  void backward(Pass& pass) override {
    backward_of_difference(pass, Slope{terms(pass)}, terms_.plain.partner, divisor_.divisor(pass));
  }

 private:
  Terms terms(Pass& pass) const {
    const auto weights = [&](int i) { return i < inputs_ ? pass.input(i).floats() : nullptr; };
    Terms terms = terms_;
    terms.plain = Difference::of(pass, terms_.plain.partner);
    terms.inside = weights(2);
    terms.outside = weights(3);
    return terms;
  }
  int inputs_ = 2;
  Terms terms_{};
  LossDivisor divisor_;
};

OREPA_LAYER(SmoothL1Loss, "the sum of |a - b|, squared where it is small, a sample");

}  // namespace
}  // namespace orepa
