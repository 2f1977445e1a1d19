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
    const auto below = [&](uint64_t i, int64_t n) {
      return static_cast<int64_t>(random.below(i, static_cast<uint64_t>(n)));
    };
    for (uint64_t first = 1; first < 41; first += 4) {
      const Extent size = part_.draw(of, random, first);
      if (size.height < 1 || size.width < 1 || size.height >= of.height || size.width >= of.width)
        continue;
      plan.erased = {below(first + 2, of.height - size.height + 1),
                     below(first + 3, of.width - size.width + 1), size.height, size.width};
      return;
    }
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
