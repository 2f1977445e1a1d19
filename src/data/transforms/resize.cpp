// torchvision's Resize: the shorter side becomes `size`, or both sides what they are told.
#include "data/transforms/transform.h"
#include "orepa/error.h"

namespace orepa {
namespace {

class Resize : public Transform {
 public:
  Resize(const Extent& size, Filter filter) : filter_(filter), size_(size) {}
  explicit Resize(const Options& options) : filter_(filter_of(options)) {
    if (options.has("shorter_side")) {
      require(!options.has("size") && !options.has("height") && !options.has("width"),
              options.where("shorter_side"),
              ": give either shorter_side, which keeps the shape, or the whole size");
      const double side = static_cast<double>(options.integer("shorter_side"));
      checked(options, "shorter_side", side, side >= 1 && side <= 1 << 14,
              "lie between 1 and 16384");
      shorter_side_ = options.integer("shorter_side");
    } else {
      size_ = extent_of(options);
    }
  }

  void plan(Plan& plan, const Random&) const override {
    plan.resize(size_of(plan.view.window.extent()), filter_);
  }
  bool resizes() const override { return true; }

 private:
  // The longer side is rounded down, as there.
  Extent size_of(const Extent& of) const {
    if (shorter_side_ == 0) return size_;
    return of.height <= of.width ? Extent{shorter_side_, shorter_side_ * of.width / of.height}
                                 : Extent{shorter_side_ * of.height / of.width, shorter_side_};
  }

  Filter filter_;
  int64_t shorter_side_ = 0;
  Extent size_;  // where shorter_side_ is 0
};

}  // namespace

std::unique_ptr<Transform> make_resize(const Options& options) {
  return std::make_unique<Resize>(options);
}

std::unique_ptr<Transform> make_resize(const Extent& size, Filter filter) {
  return std::make_unique<Resize>(size, filter);
}

}  // namespace orepa
