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
    const Extent of = plan.view.window.extent();
    plan.cut(part_.draw(of, of, random, 0).value_or(largest(of)));
    plan.resize(size_, filter_);
  }
  bool resizes() const override { return true; }

 private:
  // The largest centre of an allowed shape.
  Box largest(const Extent& of) const {
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
