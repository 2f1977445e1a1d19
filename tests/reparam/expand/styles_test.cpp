// Which block a style puts where, and what its layers say.
#include <gtest/gtest.h>

#include <map>

#include "io/text/print_text.h"
#include "orepa/net.h"
#include "tests/reparam/expand/plain_net.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Layers that stay plain, with the reasons.
std::map<std::string, std::string> stay_plain(const std::string& style) {
  ReparamReport report;
  reparam_as(style, &report);
  std::map<std::string, std::string> reasons;
  for (const ReparamReport::Row& row : report.rows)
    if (row.became.empty()) reasons[row.layer] = row.note;
  return reasons;
}

TEST(ReparamStyle, SaysWhyALayerStaysPlain) {
  using Reasons = std::map<std::string, std::string>;
  const std::string flat = "its kernel of 1 x 3 is not square and odd";
  const std::string valid =
      "it is padded by 0; the style's block is for a padding of 1, which keeps the size";
  EXPECT_EQ(stay_plain("orepa"), (Reasons{{"flat", flat}}));
  EXPECT_EQ(stay_plain("dbb"), (Reasons{{"flat", flat},
                                        {"valid", valid},
                                        {"stem", "the style has no block for 7 x 7"},
                                        {"pointwise", "the style has no block for 1 x 1"},
                                        {"dilated", "its average pooling could not be dilated"}}));
  EXPECT_EQ(stay_plain("acnet"), (Reasons{{"flat", flat},
                                          {"valid", valid},
                                          {"stem", "the style has no block for 7 x 7"},
                                          {"pointwise", "the style has no block for 1 x 1"}}));
  for (const char* style : {"repvgg", "orepa_vgg"})
    EXPECT_EQ(stay_plain(style), (Reasons{{"flat", flat},
                                          {"valid", valid},
                                          {"stem", "the style has no block for 7 x 7"},
                                          {"pointwise", "the style has no block for 1 x 1"},
                                          {"depthwise", "the style has no block for 5 x 5"}}));
}

TEST(ReparamStyle, OrepaTakesThePresetOfTheKernel) {
  const NetSpec net = reparam_as("orepa");
  const std::map<std::string, OrepaParameter::Preset> presets = {
      {"stem", OrepaParameter::OREPA_LARGE},
      {"same", OrepaParameter::OREPA},
      {"pointwise", OrepaParameter::OREPA_1X1},
      {"depthwise", OrepaParameter::OREPA},
      {"valid", OrepaParameter::OREPA}};
  for (const auto& [name, preset] : presets) {
    ASSERT_NE(find(net, name), nullptr);
    EXPECT_EQ(find(net, name)->type(), "ORepaConv") << name;
    EXPECT_EQ(find(net, name)->orepa_param().preset(), preset) << name;
    EXPECT_FALSE(find(net, name)->convolution_param().has_weight_filler()) << name;
  }
}

// The weight's multipliers are those of every factor, so that the bias keeps its own.
TEST(ReparamStyle, OrepaKeepsLearningRates) {
  const NetSpec net = reparam_as("orepa");
  const std::unique_ptr<Device> device = test_device();
  Parameters parameters(*device, 1, true);
  Arena arena(*device);
  const Net built(net, parameters, arena, {});
  int factors = 0;
  for (const auto& parameter : parameters.all()) {
    if (parameter->layer == "same" && parameter->factor) {
      EXPECT_EQ(parameter->lr_mult, 0.5f) << parameter->path();
      EXPECT_EQ(parameter->decay_mult, 2.0f) << parameter->path();
      ++factors;
    }
    if (parameter->layer == "strided") {
      EXPECT_EQ(parameter->lr_mult, parameter->name == "bias" ? 2.0f : 1.0f) << parameter->path();
      EXPECT_EQ(parameter->decay_mult, parameter->name == "bias" ? 0.0f : 1.0f)
          << parameter->path();
    }
  }
  EXPECT_EQ(factors, 14);
}

TEST(ReparamStyle, DbbHasFourBranches) {
  const NetSpec net = reparam_as("dbb");
  EXPECT_EQ(names(net, "grouped."),
            (std::vector<std::string>{"dbb_origin", "dbb_origin.bn", "dbb_origin.scale", "dbb_1x1",
                                      "dbb_1x1.bn", "dbb_1x1.scale", "dbb_avg", "dbb_avg.bn",
                                      "dbb_avg.avg", "dbb_avg.avgbn", "dbb_avg.avgscale",
                                      "dbb_1x1_kxk.idconv1", "dbb_1x1_kxk.bn1", "dbb_1x1_kxk.conv2",
                                      "dbb_1x1_kxk.bn2", "dbb_1x1_kxk.scale2"}));
  EXPECT_EQ(find(net, "grouped.dbb_1x1")->convolution_param().group(), 3u);
  EXPECT_EQ(find(net, "grouped.dbb_1x1_kxk.idconv1")->orepa_param().preset(),
            OrepaParameter::IDENTITY);
  EXPECT_EQ(find(net, "grouped")->bottom_size(), 4);
}

TEST(ReparamStyle, DbbIsAnotherOneWhereEveryOutputHasItsOwnInput) {
  const NetSpec net = reparam_as("dbb");
  EXPECT_EQ(names(net, "depthwise."),
            (std::vector<std::string>{"dbb_origin", "dbb_origin.bn", "dbb_origin.scale",
                                      "dbb_avg.avg", "dbb_avg.avgbn", "dbb_avg.avgscale",
                                      "dbb_1x1_kxk.conv1", "dbb_1x1_kxk.bn1", "dbb_1x1_kxk.conv2",
                                      "dbb_1x1_kxk.bn2", "dbb_1x1_kxk.scale2"}));
  EXPECT_EQ(find(net, "depthwise.dbb_avg.avg")->pooling_param().pad(), 2u);
  EXPECT_EQ(find(net, "depthwise.dbb_1x1_kxk.conv1")->convolution_param().num_output(), 24u);
  // The channels of a Concat are known.
  EXPECT_EQ(find(net, "separable.dbb_1x1_kxk.conv1")->convolution_param().num_output(), 48u);
}

TEST(ReparamStyle, RepVggHasAnIdentityWhereTheSizeStays) {
  for (const char* style : {"repvgg", "orepa_vgg"}) {
    const NetSpec net = reparam_as(style);
    EXPECT_EQ(names(net, "same."),
              (std::vector<std::string>{"rbr_dense", "rbr_dense.bn", "rbr_dense.scale", "rbr_1x1",
                                        "rbr_1x1.bn", "rbr_1x1.scale", "rbr_identity",
                                        "rbr_identity.scale"}));
    EXPECT_EQ(names(net, "strided."),
              (std::vector<std::string>{"rbr_dense", "rbr_1x1", "rbr_1x1.bn", "rbr_1x1.scale"}));
    EXPECT_EQ(find(net, "strided.rbr_1x1")->convolution_param().stride(0), 2u);
    EXPECT_EQ(find(net, "same.rbr_dense")->type(),
              style == std::string("repvgg") ? "Convolution" : "ORepaConv");
  }
}

TEST(ReparamStyle, AcnetAddsLines) {
  const NetSpec net = reparam_as("acnet");
  EXPECT_EQ(print_text(*find(net, "dilated.ver_conv")),
            "name: \"dilated.ver_conv\"\ntype: \"Convolution\"\nbottom: \"depthwise\"\n"
            "top: \"dilated.ver_conv\"\nconvolution_param {\n  num_output: 12\n  bias_term: false\n"
            "  weight_filler { type: \"kaiming_uniform\" slope: 2.236068 }\n  pad_h: 2\n"
            "  pad_w: 0\n  kernel_h: 3\n  kernel_w: 1\n  dilation: 2\n}\n");
  EXPECT_EQ(find(net, "dilated.hor_conv")->convolution_param().pad_w(), 2u);
}

TEST(ReparamStyle, BranchesInheritWhatTheChainSays) {
  const NetSpec net = reparam_as("repvgg");
  EXPECT_EQ(print_text(*find(net, "same")),
            "name: \"same\"\ntype: \"Eltwise\"\n"
            "bottom: \"same.rbr_dense\"\nbottom: \"same.rbr_1x1\"\n"
            "bottom: \"same.rbr_identity\"\ntop: \"same/scale\"\n");
  for (const char* name : {"same.rbr_dense", "same.rbr_1x1"}) {
    EXPECT_EQ(find(net, name)->param(0).lr_mult(), 0.5f) << name;
    EXPECT_EQ(find(net, name)->param(0).decay_mult(), 2.0f) << name;
    EXPECT_EQ(find(net, name)->convolution_param().weight_filler().type(), "kaiming_uniform");
  }
  for (const char* name : {"same.rbr_dense.bn", "same.rbr_1x1.bn", "same.rbr_identity"}) {
    EXPECT_EQ(find(net, name)->param_size(), 3) << name;
    EXPECT_EQ(find(net, name)->batch_norm_param().eps(), 2e-5f) << name;
    EXPECT_EQ(find(net, name)->batch_norm_param().moving_average_fraction(), 0.9f) << name;
  }
  for (const char* name :
       {"same.rbr_dense.scale", "same.rbr_1x1.scale", "same.rbr_identity.scale"}) {
    EXPECT_EQ(find(net, name)->param(1).lr_mult(), 4.0f) << name;
    EXPECT_EQ(find(net, name)->scale_param().filler().value(), 0.5f) << name;
  }
  // In a DBB the inner BatchNorm has its scale and bias behind its three statistics.
  const NetSpec dbb = reparam_as("dbb");
  EXPECT_EQ(find(dbb, "same.dbb_avg.bn")->param_size(), 5);
}

TEST(ReparamStyle, WithoutBatchNormTheOriginKeepsItsBiasAndHasNone) {
  for (const char* style : {"repvgg", "orepa_vgg", "dbb", "acnet"}) {
    const NetSpec net = reparam_as(style);
    const std::string origin = "strided." + names(net, "strided.")[0];
    EXPECT_TRUE(find(net, origin)->convolution_param().bias_term()) << style;
    EXPECT_EQ(find(net, origin)->convolution_param().bias_filler().value(), 0.1f) << style;
    EXPECT_EQ(find(net, origin + ".bn"), nullptr) << style;
    EXPECT_EQ(find(net, "strided")->top(0), "strided") << style;
  }
  EXPECT_TRUE(find(reparam_as("orepa"), "strided")->convolution_param().bias_term());
}

}  // namespace
}  // namespace orepa
