// torchvision's ColorJitter: brightness, contrast, saturation and hue change by random amounts, in
// a random order.
#include <algorithm>
#include <utility>

#include "data/transforms/transform.h"

namespace orepa {
namespace {

class ColorJitter : public Transform {
 public:
  explicit ColorJitter(const Options& options) {
    for (const auto& [field, what] : {std::pair{"brightness", Photometric::kBrightness},
                                      std::pair{"contrast", Photometric::kContrast},
                                      std::pair{"saturation", Photometric::kSaturation}}) {
      const double most = options.number(field);
      checked(options, field, most, most >= 0, "not be negative");
      most_[static_cast<int>(what)] = static_cast<float>(most);
    }
    const double hue = options.number("hue");
    checked(options, "hue", hue, hue >= 0 && hue <= 0.5, "lie in [0, 0.5]");
    most_[static_cast<int>(Photometric::kHue)] = static_cast<float>(hue);
  }

  void plan(Plan& plan, const Random& random) const override {
    int order[kKinds] = {0, 1, 2, 3};
    for (int i = kKinds - 1; i > 0; --i)
      std::swap(
          order[i],
          order[random.below(static_cast<uint64_t>(kKinds + i), static_cast<uint64_t>(i + 1))]);
    for (const int i : order) {
      if (most_[i] == 0) continue;
      const auto what = static_cast<Photometric>(i);
      const float factor = what == Photometric::kHue
                               ? random.uniform(i, -most_[i], most_[i])
                               : random.uniform(i, std::max(0.0f, 1 - most_[i]), 1 + most_[i]);
      plan.colors.push_back({what, factor});
    }
  }
  Kind kind() const override { return Kind::kColor; }

 private:
  static constexpr int kKinds = 4;
  float most_[kKinds];  // by Photometric
};

}  // namespace

std::unique_ptr<Transform> make_color_jitter(const Options& options) {
  return std::make_unique<ColorJitter>(options);
}

}  // namespace orepa
