// What a Mixup layer draws over many passes.
#include <gtest/gtest.h>

#include "orepa/net.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Trains on two images, zeros and ones, of two classes.
struct Mixed {
  explicit Mixed(const std::string& param, const std::string& more = "") {
    const NetSpec spec = NetSpec::parse(
        "layer { name: 'x' type: 'Input' top: 'x' top: 'label' input_param { "
        "shape { dim: 2 dim: 1 dim: 8 dim: 10 } shape { dim: 2 } } }"
        "layer { name: 'mix' type: 'Mixup' bottom: 'x' bottom: 'label' top: 'y' top: 'target' "
        "mixup_param { classes: 2 " +
            param + " } }" + more,
        "net.prototxt");
    NetOptions options;
    options.phase = Phase::kTrain;
    options.keep = {"y", "target"};
    net = std::make_unique<Net>(spec, parameters, arena, options);
    std::vector<float> x(160, 0.0f);
    std::fill(x.begin() + 80, x.end(), 1.0f);
    net->set("x", x);
    net->set("label", {0, 1});
  }
  std::unique_ptr<Device> device = test_device();
  Parameters parameters{*device, 1, false};
  Arena arena{*device};
  std::unique_ptr<Net> net;
};

// Of Beta(alpha, alpha): the mean is 1 / 2, the variance 1 / (4 (2 alpha + 1)); of n draws the
// mean is known to sqrt(variance / n), and the variance, of numbers in [0, 1], to less than
// 1 / (4 sqrt(n)). Five times these are never seen by chance.
TEST(Mixup, DrawsFromTheBetaDistribution) {
  constexpr int kDraws = 3000;
  for (const double alpha : {0.05, 0.2, 1.0, 4.0}) {
    SCOPED_TRACE(alpha);
    Mixed mixed(text("mixup_alpha: ", alpha));
    double sum = 0, squares = 0;
    for (int pass = 0; pass < kDraws; ++pass) {
      mixed.net->forward(pass);
      const std::vector<float> y = mixed.net->read("y"), target = mixed.net->read("target");
      const double share = 1 - y[0];  // of the zeros in the first image
      EXPECT_NEAR(y[80], share, 1e-6);
      EXPECT_NEAR(target[0], share, 1e-6);
      EXPECT_NEAR(target[1], 1 - share, 1e-6);
      EXPECT_NEAR(target[2], 1 - share, 1e-6);
      sum += share;
      squares += share * share;
    }
    const double mean = sum / kDraws, variance = squares / kDraws - mean * mean;
    const double expected = 1 / (4 * (2 * alpha + 1));
    EXPECT_NEAR(mean, 0.5, 5 * std::sqrt(expected / kDraws));
    EXPECT_NEAR(variance, expected, 5 / (4 * std::sqrt(kDraws)));
  }
}

// A rectangle is the other image's, and labels have its share of the area.
TEST(Mixup, CutsRectangles) {
  Mixed mixed("mixup_alpha: 0 cutmix_alpha: 1");
  double area = 0;
  for (int pass = 0; pass < 1000; ++pass) {
    mixed.net->forward(pass);
    const std::vector<float> y = mixed.net->read("y"), target = mixed.net->read("target");
    int ones = 0;
    for (int i = 0; i < 80; ++i) {
      EXPECT_EQ(y[i] + y[80 + i], 1);
      ones += y[i] == 1;
    }
    EXPECT_NEAR(target[1], ones / 80.0, 1e-6);
    area += ones / 80.0;
  }
  // Half of it, less what hangs over the edges.
  EXPECT_GT(area / 1000, 0.2);
  EXPECT_LT(area / 1000, 0.5);
}

TEST(Mixup, MixesOrCutsAsOftenAsItIsTold) {
  Mixed mixed("mixup_alpha: 1 cutmix_alpha: 1 cutmix_probability: 0.25");
  int cut = 0;
  for (int pass = 0; pass < 2000; ++pass) {
    mixed.net->forward(pass);
    cut += mixed.net->read("target")[0] == 1 || mixed.net->read("y")[0] == 0 ||
           mixed.net->read("y")[0] == 1;
  }
  EXPECT_NEAR(cut, 500, 5 * 19.4);  // sqrt(2000 * 0.25 * 0.75)
}

TEST(Mixup, TrainsWithDistributions) {
  Mixed mixed("mixup_alpha: 1",
              "layer { name: 'ip' type: 'InnerProduct' bottom: 'y' top: 'ip' inner_product_param { "
              "num_output: 2 } } layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: "
              "'target' top: 'loss' }");
  mixed.net->forward(0);
  EXPECT_NEAR(mixed.net->loss(), std::log(2.0), 1e-6);  // weights are 0
}

TEST(Mixup, SaysWhatIsWrong) {
  const auto error = [](const std::string& param) { return error_of([&] { Mixed{param}; }); };
  EXPECT_NE(error("mixup_alpha: 5").find("mixup_alpha must lie in [0, 4], got 5"),
            std::string::npos);
  EXPECT_NE(error("mixup_alpha: 0").find("both mixup_alpha and cutmix_alpha 0"), std::string::npos);
  EXPECT_NE(error("cutmix_probability: 2").find("must lie in [0, 1], got 2"), std::string::npos);
}

}  // namespace
}  // namespace orepa
