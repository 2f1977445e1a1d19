// Which gradients there are, by the fields of a net that say so: force_backward, propagate_down and
// loss_weight.
#include <gtest/gtest.h>

#include "orepa/net.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// y = 2 x1 + 3 x2, p = y^2 and its sum the loss; `of_fc` and `of_square` stand in their layers. The
// weights never learn.
std::string net_text(const std::string& of_fc = "", const std::string& of_square = "") {
  return "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { dim: 1 dim: 2 } } "
         "}\n"
         "layer { name: \"fc\" type: \"InnerProduct\" bottom: \"x\" top: \"y\" param { lr_mult: 0 "
         "} "
         "inner_product_param { num_output: 1 bias_term: false } " +
         of_fc +
         " }\nlayer { name: \"square\" type: \"Power\" bottom: \"y\" top: \"p\" "
         "power_param { power: 2 } loss_weight: 1 " +
         of_square + " }\n";
}

class GradientsTest : public testing::Test {
 protected:
  Net& make(const std::string& text, const std::vector<std::string>& keep = {}) {
    NetOptions options;
    options.phase = Phase::kTrain;
    options.keep = keep;
    net_.reset();
    parameters_ = std::make_unique<Parameters>(*device_, 1, true);
    net_ =
        std::make_unique<Net>(NetSpec::parse(text, "net.prototxt"), *parameters_, arena_, options);
    if (Parameter* weight = parameters_->find("fc", "weight")) parameters_->write(*weight, {2, 3});
    for (const Net::Blob& input : net_->inputs())
      net_->set(input.name, input.shape.count() == 2 ? std::vector<float>{5, 1}
                                                     : std::vector<float>(input.shape.count(), 2));
    net_->prepare();
    net_->forward(0);
    parameters_->begin_step();
    net_->backward();
    device_->synchronize();  // the next one takes the place of this net, read or not
    return *net_;
  }
  std::string refusal(const std::string& text, const std::string& blob) {
    make(text);
    return error_of([&] { net_->read_gradient(blob); });
  }

  std::unique_ptr<Device> device_ = test_device();
  std::unique_ptr<Parameters> parameters_;
  Arena arena_{*device_};
  std::unique_ptr<Net> net_;
};

using Numbers = std::vector<float>;

TEST_F(GradientsTest, OfSourcesAreThereWhereTheNetForcesThem) {
  EXPECT_NE(refusal(net_text(), "x").find("force_backward"), std::string::npos);
  // d y^2 / dx = 2 y w, with y = 13.
  EXPECT_EQ(make(net_text() + "force_backward: true").read_gradient("x"), (Numbers{52, 78}));
}

TEST_F(GradientsTest, OfKeptBlobsAreThereToo) {
  const std::string in_place =
      "layer { name: \"half\" type: \"Power\" bottom: \"p\" top: \"p\" power_param { scale: 0.5 } }"
      "layer { name: \"end\" type: \"Reduction\" bottom: \"p\" top: \"end\" loss_weight: 6 } "
      "force_backward: true";
  std::string text = net_text() + in_place;
  text.erase(text.find("loss_weight: 1"), 14);
  Net& net = make(text, {"y", "p"});
  EXPECT_EQ(net.read("p"), (Numbers{84.5f}));
  EXPECT_EQ(net.read_gradient("p"), (Numbers{3}));  // before it was halved in place
  EXPECT_EQ(net.read_gradient("y"), (Numbers{78}));
  EXPECT_EQ(net.read_gradient("x"), (Numbers{156, 234}));
}

TEST_F(GradientsTest, PropagateDownAsksForThatOfABottom) {
  EXPECT_EQ(make(net_text("propagate_down: true")).read_gradient("x"), (Numbers{52, 78}));
  // Nothing that learns or is asked for lies above "y" otherwise, so the rest stays as it was.
  EXPECT_EQ(make(net_text("", "propagate_down: true")).read_gradient("y"), (Numbers{26}));
  EXPECT_NE(refusal(net_text("", "propagate_down: true"), "x").find("propagate_down"),
            std::string::npos);
}

TEST_F(GradientsTest, PropagateDownStopsThemUnlessTheNetForcesThem) {
  const std::string stopped = net_text("propagate_down: true", "propagate_down: false");
  EXPECT_EQ(make(stopped).read_gradient("x"), (Numbers{0, 0}));
  EXPECT_EQ(make(stopped + "force_backward: true").read_gradient("x"), (Numbers{52, 78}));
}

// A layer is not merged with the one before where it has a loss_weight or a propagate_down of its
// own, which would be lost.
TEST_F(GradientsTest, FusionHeedsTheFieldsOfBothLayers) {
  const auto text = [](const std::string& of_relu) {
    return "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { dim: 1 dim: 2 } } "
           "}"
           "layer { name: \"sum\" type: \"Eltwise\" bottom: \"x\" bottom: \"x\" top: \"sum\" }"
           "layer { name: \"relu\" type: \"ReLU\" bottom: \"sum\" top: \"sum\" " +
           of_relu +
           " }layer { name: \"end\" type: \"Reduction\" bottom: \"sum\" top: \"end\" "
           "loss_weight: 1 } ";
  };
  const std::string forced = "force_backward: true";
  EXPECT_EQ(make(text("") + forced).loss(), 12);
  EXPECT_EQ(net_->read_gradient("x"), (Numbers{2, 2}));
  EXPECT_EQ(make(text("loss_weight: 3") + forced).loss(), 48);
  EXPECT_EQ(net_->read_gradient("x"), (Numbers{8, 8}));
  std::string stopped = text("propagate_down: false");
  stopped.replace(stopped.find("bottom: \"x\" bottom: \"x\""), 23,
                  "propagate_down: true propagate_down: true bottom: \"x\" bottom: \"x\"");
  EXPECT_EQ(make(stopped).read_gradient("x"), (Numbers{0, 0}));
}

// Any top may count in the loss, also one that others read on.
TEST_F(GradientsTest, AnyTopMayHaveALossWeight) {
  Net& net = make(net_text("loss_weight: -4") + "force_backward: true");
  EXPECT_EQ(net.loss(), 169 - 4 * 13);
  EXPECT_EQ(net.read_gradient("x"), (Numbers{52 - 8, 78 - 12}));
}

}  // namespace
}  // namespace orepa
