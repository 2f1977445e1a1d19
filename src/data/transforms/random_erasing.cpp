// A rectangle of random area, shape and place becomes the mean (Zhong et al., Random Erasing Data
// Augmentation, AAAI 2020), as torchvision draws it: ten times, then nothing is erased.
#include "data/transforms/random_part.h"

namespace orepa {
namespace {

class RandomErasing : public Transform {
 public:
  explicit RandomErasing(const Options& options)
      : probability_(probability_of(options)), part_(options) {}

  void plan(Plan& plan, const Random& random) const override {
    if (random.uniform(0) >= probability_) return;
    const Extent of = plan.view.window.extent();
    plan.erased = part_.draw(of, {of.height - 1, of.width - 1}, random, 1).value_or(Box{});
  }
  Kind kind() const override { return Kind::kErasing; }

 private:
  float probability_;
  RandomPart part_;
};

}  // namespace

std::unique_ptr<Transform> make_random_erasing(const Options& options) {
  return std::make_unique<RandomErasing>(options);
}

}  // namespace orepa
