// From left to right.
#include "data/transforms/transform.h"

namespace orepa {
namespace {

class Flip : public Transform {
 public:
  explicit Flip(float probability) : probability_(probability) {}
  void plan(Plan& plan, const Random& random) const override {
    plan.view.flip ^= random.uniform(0) < probability_;
  }

 private:
  float probability_;
};

}  // namespace

std::unique_ptr<Transform> make_flip(float probability) {
  return std::make_unique<Flip>(probability);
}

std::unique_ptr<Transform> make_flip(const Options& options) {
  return make_flip(probability_of(options));
}

}  // namespace orepa
