// Light of random strength along the principal components of ImageNet's colours (Krizhevsky,
// Sutskever, Hinton: ImageNet Classification with Deep Convolutional Neural Networks, NIPS 2012,
// section 4.1; components as in fb.resnet.torch, there of numbers between 0 and 1).
#include "data/transforms/transform.h"

namespace orepa {
namespace {

constexpr double kDeviations[3] = {0.2175, 0.0188, 0.0045};
constexpr double kComponents[3][3] = {{-0.5675, 0.7192, 0.4009},
                                      {-0.5808, -0.0045, -0.8140},
                                      {-0.5836, -0.6948, 0.4203}};  // of R, G, B

class Lighting : public Transform {
 public:
  explicit Lighting(const Options& options) : deviation_(options.number("deviation")) {
    checked(options, "deviation", deviation_, deviation_ >= 0, "not be negative");
  }

  void plan(Plan& plan, const Random& random) const override {
    for (int component = 0; component < 3; ++component) {
      const double strength = 255 * deviation_ * random.normal(component) * kDeviations[component];
      for (int channel = 0; channel < 3; ++channel)
        plan.light[channel] += static_cast<float>(strength * kComponents[channel][component]);
    }
  }
  Kind kind() const override { return Kind::kColor; }

 private:
  double deviation_;
};

}  // namespace

std::unique_ptr<Transform> make_lighting(const Options& options) {
  return std::make_unique<Lighting>(options);
}

}  // namespace orepa
