// Crops of a fixed size, at the centre or at a random place, and Caffe's crop_size.
#include <cmath>

#include "data/transforms/transform.h"
#include "orepa/error.h"

namespace orepa {
namespace {

class Crop : public Transform {
 public:
  enum class Place { kCentre, kCaffeCentre, kRandom };
  Crop(const Extent& size, int64_t pad, Place place) : size_(size), pad_(pad), place_(place) {}

  void plan(Plan& plan, const Random& random) const override {
    const Extent of{plan.view.window.height + 2 * pad_, plan.view.window.width + 2 * pad_};
    const Extent size = size_.height > 0 ? size_ : of;
    plan.cut({place(random, 0, of.height - size.height) - pad_,
              place(random, 1, of.width - size.width) - pad_, size.height, size.width});
  }

 private:
  // Of `free` pixels, how many lie before the crop; torchvision's centre may hang over.
  int64_t place(const Random& random, uint64_t draw, int64_t free) const {
    require(place_ == Place::kCentre || free >= 0, "is smaller by ", -free,
            " pixels than its crop; resize it before, or give a smaller crop_size");
    if (place_ == Place::kRandom)
      return static_cast<int64_t>(random.below(draw, static_cast<uint64_t>(free) + 1));
    if (place_ == Place::kCaffeCentre) return free / 2;
    return static_cast<int64_t>(std::nearbyint(static_cast<double>(free) / 2));  // torchvision's
  }

  Extent size_;  // 0: all of the image and its padding
  int64_t pad_;
  Place place_;
};

}  // namespace

std::unique_ptr<Transform> make_crop(const Options& options, bool random) {
  const int64_t pad = random ? options.integer("pad") : 0;
  return std::make_unique<Crop>(extent_of(options), pad,
                                random ? Crop::Place::kRandom : Crop::Place::kCentre);
}

std::unique_ptr<Transform> make_caffe_crop(int64_t crop_size, int64_t pad, bool random) {
  return std::make_unique<Crop>(Extent{crop_size, crop_size}, pad,
                                random ? Crop::Place::kRandom : Crop::Place::kCaffeCentre);
}

}  // namespace orepa
