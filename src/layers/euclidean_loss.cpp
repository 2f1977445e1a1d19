#include "layers/loss_divisor.h"
#include "layers/pairs.h"

namespace orepa {
namespace {

struct HalfSquare {
  Difference difference;
  OREPA_HD float operator()(int64_t i) const {
    const float d = difference(i);
    return d * d / 2;
  }
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
    divisor_.divide(pass, HalfSquare{Difference::of(pass, partner_)});
  }
  void backward(Pass& pass) override {
    backward_of_difference(pass, Difference::of(pass, partner_), partner_, divisor_.divisor(pass));
  }

 private:
  PartnerOrder partner_;
  LossDivisor divisor_;
};

OREPA_LAYER(EuclideanLoss, "half the sum of (a - b)^2, a sample");

}  // namespace
}  // namespace orepa
