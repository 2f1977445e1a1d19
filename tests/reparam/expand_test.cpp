// reparam(): which block goes where, what its layers say, and that the rest of the net stays.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "io/print_text.h"
#include "orepa.pb.h"
#include "orepa/error.h"
#include "orepa/net.h"
#include "orepa/reparam.h"
#include "tests/reparam/plain_net.h"

namespace orepa {
namespace {

using google::protobuf::util::MessageDifferencer;

NetSpec plain_net() { return NetSpec::parse(kPlainNet, "plain.prototxt"); }

NetSpec reparam_as(const std::string& style, ReparamReport* report = nullptr) {
  return reparam(plain_net(), {style, "", ""}, report);
}

const LayerParameter* find(const NetSpec& net, const std::string& name) {
  for (const LayerParameter& layer : net.proto().layer())
    if (layer.name() == name) return &layer;
  return nullptr;
}

// The layer as prototxt; empty where there is none.
std::string layer_text(const NetSpec& net, const std::string& name) {
  const LayerParameter* layer = find(net, name);
  return layer == nullptr ? "" : print_text(*layer);
}

// Of what begins with `prefix`, in order.
std::vector<std::string> names(const NetSpec& net, const std::string& prefix) {
  std::vector<std::string> found;
  for (const LayerParameter& layer : net.proto().layer())
    if (layer.name().rfind(prefix, 0) == 0) found.push_back(layer.name().substr(prefix.size()));
  return found;
}

std::string error_of(const ReparamOptions& options, const NetSpec& net = plain_net()) {
  try {
    reparam(net, options);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

class EveryStyle : public testing::TestWithParam<std::string> {};

// Every blob that is still there has the shape it had.
TEST_P(EveryStyle, BuildsInBothPhasesAndKeepsShapes) {
  const NetSpec before = plain_net(), after = reparam_as(GetParam());
  const std::unique_ptr<Device> device = make_cpu_device();
  for (const Phase phase : {Phase::kTrain, Phase::kTest}) {
    std::set<std::string> blobs[2];
    for (const NetSpec* net : {&before, &after})
      for (const LayerParameter& layer : net->proto().layer())
        if (phase == Phase::kTest || layer.name() != "accuracy")
          blobs[net == &after].insert(layer.top().begin(), layer.top().end());
    NetOptions options;
    options.phase = phase;
    std::set_intersection(blobs[0].begin(), blobs[0].end(), blobs[1].begin(), blobs[1].end(),
                          std::back_inserter(options.keep));
    EXPECT_GE(options.keep.size(), 14u);
    Parameters first(*device, 1, true), second(*device, 1, true);
    Arena arena(*device);
    const Net plain(before, first, arena, options);
    Net block(after, second, arena, options);
    for (const std::string& blob : options.keep)
      EXPECT_EQ(block.shape(blob), plain.shape(blob)) << blob;
    block.prepare();
    block.forward(0);
    EXPECT_EQ(block.find_non_finite(), "");
  }
}

TEST_P(EveryStyle, LeavesOtherLayersAlone) {
  const NetSpec before = plain_net();
  ReparamReport report;
  const NetSpec after = reparam_as(GetParam(), &report);
  std::set<std::string> rewritten;
  for (const ReparamReport::Row& row : report.rows)
    if (!row.became.empty()) rewritten.insert(row.layer);
  int same = 0;
  for (const LayerParameter& layer : before.proto().layer()) {
    const std::string owner = layer.name().substr(0, layer.name().find('/'));
    const bool part = rewritten.contains(owner) && !layer.name().ends_with("/relu");
    const auto& layers = after.proto().layer();
    const auto equal = [&](const LayerParameter& other) {
      return MessageDifferencer::Equals(layer, other);
    };
    const bool there = std::any_of(layers.begin(), layers.end(), equal);
    EXPECT_TRUE(part || there) << print_text(layer);
    same += there;
  }
  EXPECT_GE(same, 10);
}

TEST_P(EveryStyle, ReportsEveryConvolution) {
  ReparamReport report;
  reparam_as(GetParam(), &report);
  std::vector<std::string> layers;
  for (const ReparamReport::Row& row : report.rows) {
    layers.push_back(row.layer);
    EXPECT_NE(row.became.empty(), row.note.empty()) << row.layer;
  }
  EXPECT_EQ(layers,
            (std::vector<std::string>{"stem", "same", "pointwise", "strided", "grouped",
                                      "depthwise", "dilated", "separable", "valid", "flat"}));
  EXPECT_GT(report.rewritten(), 4);
}

INSTANTIATE_TEST_SUITE_P(All, EveryStyle, testing::ValuesIn(reparam_styles()),
                         [](const auto& info) { return info.param; });

// Layers that stay plain, with the reasons.
std::map<std::string, std::string> stay_plain(const std::string& style) {
  ReparamReport report;
  reparam_as(style, &report);
  std::map<std::string, std::string> reasons;
  for (const ReparamReport::Row& row : report.rows)
    if (row.became.empty()) reasons[row.layer] = row.note;
  return reasons;
}

TEST(Reparam, SaysWhyALayerStaysPlain) {
  using Reasons = std::map<std::string, std::string>;
  const std::string flat = "its kernel of 1 x 3 is not square and odd";
  const std::string valid =
      "with a padding of 0 instead of 1 no branch beside it has the same output";
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

TEST(Reparam, OrepaTakesThePresetOfTheKernel) {
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
TEST(Reparam, OrepaKeepsLearningRates) {
  const NetSpec net = reparam_as("orepa");
  const std::unique_ptr<Device> device = make_cpu_device();
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

TEST(Reparam, DbbHasFourBranches) {
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

TEST(Reparam, DbbIsAnotherOneWhereEveryOutputHasItsOwnInput) {
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

TEST(Reparam, RepVggHasAnIdentityWhereTheSizeStays) {
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

TEST(Reparam, AcnetAddsLines) {
  const NetSpec net = reparam_as("acnet");
  EXPECT_EQ(layer_text(net, "dilated.ver_conv"),
            "name: \"dilated.ver_conv\"\ntype: \"Convolution\"\nbottom: \"depthwise\"\n"
            "top: \"dilated.ver_conv\"\nconvolution_param {\n  num_output: 12\n  bias_term: false\n"
            "  weight_filler { type: \"kaiming_uniform\" slope: 2.236068 }\n  pad_h: 2\n"
            "  pad_w: 0\n  kernel_h: 3\n  kernel_w: 1\n  dilation: 2\n}\n");
  EXPECT_EQ(find(net, "dilated.hor_conv")->convolution_param().pad_w(), 2u);
}

TEST(Reparam, BranchesInheritWhatTheChainSays) {
  const NetSpec net = reparam_as("repvgg");
  EXPECT_EQ(layer_text(net, "same"),
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

TEST(Reparam, WithoutBatchNormTheOriginKeepsItsBiasAndHasNone) {
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

TEST(Reparam, IncludesAndExcludesByName) {
  ReparamReport report;
  reparam(plain_net(), {"orepa", "s.*", "s[et].*"}, &report);
  std::map<std::string, std::string> notes;
  for (const ReparamReport::Row& row : report.rows)
    notes[row.layer] = row.became.empty() ? row.note : "rewritten";
  EXPECT_EQ(notes.at("same"), "rewritten");
  EXPECT_EQ(notes.at("strided"), "excluded");
  EXPECT_EQ(notes.at("stem"), "excluded");
  EXPECT_EQ(notes.at("grouped"), "not included");
  EXPECT_EQ(report.rewritten(), 1);
}

TEST(Reparam, RefusesWhatItCannotRead) {
  EXPECT_EQ(error_of({"orepa_vg", "", ""}),
            "unknown style \"orepa_vg\"; did you mean \"orepa_vgg\"? known are acnet, dbb, orepa, "
            "orepa_vgg, repvgg");
  EXPECT_EQ(error_of({"xxxxxxxx", "", ""}),
            "unknown style \"xxxxxxxx\"; known are acnet, dbb, orepa, orepa_vgg, repvgg");
  EXPECT_NE(error_of({"orepa", "(", ""}).find("include \"(\" is no regular expression"),
            std::string::npos);
  EXPECT_NE(error_of({"orepa", "", "["}).find("exclude \"[\" is no regular expression"),
            std::string::npos);
  EXPECT_NE(error_of({"orepa", "", ""},
                     NetSpec::parse("layer { name: \"c\" type: \"Convolution\" bottom: \"none\" }",
                                    "net.prototxt"))
                .find("no earlier layer"),
            std::string::npos);
}

TEST(Reparam, TakesNetsOfOnePhase) {
  const NetSpec deploy = NetSpec::parse(
      "input: \"x\" input_shape { dim: 1 dim: 4 dim: 6 dim: 6 }"
      "layer { name: \"c\" type: \"Convolution\" bottom: \"x\" top: \"c\" include { phase: TEST }"
      "  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }"
      "layer { name: \"more\" type: \"ReLU\" bottom: \"c\" top: \"d\" }",
      "net.prototxt");
  const NetSpec net = reparam(deploy, {"repvgg", "", ""});
  for (const std::string& name : names(net, "c"))
    EXPECT_EQ(find(net, "c" + name)->include_size(), 1) << name;
  EXPECT_NE(find(net, "c.rbr_identity"), nullptr);
}

TEST(Reparam, LeavesAChainWithAnotherReaderWhole) {
  const std::string net =
      "input: \"x\" input_shape { dim: 1 dim: 4 dim: 6 dim: 6 }"
      "layer { name: \"c\" type: \"Convolution\" bottom: \"x\" top: \"c\""
      "  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }"
      "layer { name: \"b\" type: \"BatchNorm\" bottom: \"c\" top: \"b\" }"
      "layer { name: \"r\" type: \"ReLU\" bottom: \"c\" top: \"r\" }";
  const NetSpec made = reparam(NetSpec::parse(net, "net.prototxt"), {"repvgg", "", ""});
  EXPECT_NE(find(made, "b"), nullptr);
  EXPECT_EQ(find(made, "c")->top(0), "c");
  // BatchNorm in one phase only: the sum would not be the same in the other.
  ReparamReport report;
  reparam(NetSpec::parse("input: \"x\" input_shape { dim: 1 dim: 4 dim: 6 dim: 6 }"
                         "layer { name: \"c\" type: \"Convolution\" bottom: \"x\" top: \"c\""
                         "  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }"
                         "layer { name: \"b\" type: \"BatchNorm\" bottom: \"c\" top: \"c\""
                         "  include { phase: TRAIN } }",
                         "net.prototxt"),
          {"repvgg", "", ""}, &report);
  EXPECT_EQ(report.rows[0].note, "what follows it in phase TRAIN is not what follows it in TEST");
}

TEST(Reparam, NeedsToKnowChannelsForSomeBlocks) {
  const std::string net =
      "layer { name: \"data\" type: \"Data\" top: \"x\""
      "  data_param { source: \"nowhere\" backend: IDX batch_size: 1 } }"
      "layer { name: \"c\" type: \"Convolution\" bottom: \"x\" top: \"c\""
      "  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }";
  ReparamReport report;
  reparam(NetSpec::parse(net, "net.prototxt"), {"repvgg", "", ""}, &report);
  EXPECT_EQ(report.rows[0].note.rfind("the channels of its bottom are not known: ", 0), 0u)
      << report.rows[0].note;
  reparam(NetSpec::parse(net, "net.prototxt"), {"orepa", "", ""}, &report);
  EXPECT_EQ(report.rewritten(), 1);
}

// What people wrote by hand is what reparam() makes.
TEST(Reparam, MakesTheNetThatTheGoldenRunTrains) {
  const std::string golden = OREPA_SOURCE_DIR "/tests/golden/net_resnet_basic_";
  const NetSpec plain = NetSpec::read(golden + "base.prototxt");
  NetParameter made = reparam(plain, {"orepa", "", ".*shortcut.*"}).proto();
  made.set_name("resnet_basic_orepa");
  MessageDifferencer differencer;
  std::string differences;
  differencer.ReportDifferencesToString(&differences);
  EXPECT_TRUE(differencer.Compare(NetSpec::read(golden + "orepa.prototxt").proto(), made))
      << differences;
}

}  // namespace
}  // namespace orepa
