// A part of random area and shape, resized (Szegedy et al., Going Deeper with Convolutions, CVPR
// 2015), as torchvision draws it: ten times, then the largest centre of an allowed shape.
#include "data/transforms/random_part.h"

namespace orepa {
namespace {

class RandomResizedCrop : public Transform {
 public:
  explicit RandomResizedCrop(const Options& options)
      : size_(extent_of(options)), filter_(filter_of(options)), part_(options) {}

  void plan(Plan& plan, const Random& random) const override {
    plan.cut(draw(plan.view.window.extent(), random));
    plan.resize(size_, filter_);
  }
  bool resizes() const override { return true; }

 private:
  Box draw(const Extent& of, const Random& random) const {
    const auto below = [&](uint64_t i, int64_t n) {
      return static_cast<int64_t>(random.below(i, static_cast<uint64_t>(n)));
    };
    for (uint64_t first = 0; first < 40; first += 4) {
      const Extent size = part_.draw(of, random, first);
      if (size.height < 1 || size.width < 1 || size.height > of.height || size.width > of.width)
        continue;
      return {below(first + 2, of.height - size.height + 1),
              below(first + 3, of.width - size.width + 1), size.height, size.width};
    }
    Extent size = of;
    const auto height = static_cast<double>(of.height), width = static_cast<double>(of.width);
    if (width / height < part_.least_aspect)
      size.height = std::llround(width / part_.least_aspect);
    else if (width / height > part_.most_aspect)
      size.width = std::llround(height * part_.most_aspect);
    return {(of.height - size.height) / 2, (of.width - size.width) / 2, size.height, size.width};
  }

  Extent size_;
  Filter filter_;
  RandomPart part_;
};

}  // namespace

std::unique_ptr<Transform> make_random_resized_crop(const Options& options) {
  return std::make_unique<RandomResizedCrop>(options);
}

}  // namespace orepa
