// reparam(): what is rewritten, what is reported, and that the rest of the net stays.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "io/text/print_text.h"
#include "orepa/error.h"
#include "orepa/net.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/reparam/expand/plain_net.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

using google::protobuf::util::MessageDifferencer;

std::string reparam_error(const ReparamOptions& options, const NetSpec& net = plain_net()) {
  return error_of([&] { reparam(net, options); });
}

class EveryStyle : public testing::TestWithParam<std::string> {};

// Every blob that is still there has the shape it had.
TEST_P(EveryStyle, BuildsInBothPhasesAndKeepsShapes) {
  const NetSpec before = plain_net(), after = reparam_as(GetParam());
  const std::unique_ptr<Device> device = test_device();
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
  EXPECT_EQ(reparam_error({"orepa_vg", "", ""}),
            "unknown style \"orepa_vg\"; did you mean \"orepa_vgg\"? known are acnet, dbb, orepa, "
            "orepa_vgg, repvgg");
  EXPECT_EQ(reparam_error({"xxxxxxxx", "", ""}),
            "unknown style \"xxxxxxxx\"; known are acnet, dbb, orepa, orepa_vgg, repvgg");
  EXPECT_NE(reparam_error({"orepa", "(", ""}).find("include \"(\" is no regular expression"),
            std::string::npos);
  EXPECT_NE(reparam_error({"orepa", "", "["}).find("exclude \"[\" is no regular expression"),
            std::string::npos);
  EXPECT_EQ(reparam_error({"orepa", "", "sam"}),
            "exclude \"sam\" matches the whole name of no Convolution; did you mean \"same\"?");
  EXPECT_NE(
      reparam_error({"orepa", "", ""},
                    NetSpec::parse("layer { name: \"c\" type: \"Convolution\" bottom: \"none\" }",
                                   "net.prototxt"))
          .find("no earlier layer"),
      std::string::npos);
}

TEST(Reparam, NamesTypesThatItDoesNotKnow) {
  ReparamReport report;
  reparam(NetSpec::parse("input: \"x\" input_shape { dim: 1 dim: 4 dim: 6 dim: 6 }"
                         "layer { name: \"a\" type: \"Convolutoin\" bottom: \"x\" top: \"a\" }"
                         "layer { name: \"b\" type: \"ReLU\" bottom: \"a\" top: \"b\" }",
                         "net"),
          {"orepa", "", ""}, &report);
  EXPECT_EQ(report.unknown_types, std::set<std::string>{"Convolutoin"});
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

// Caffe's older habit: a BatchNorm, or all of it, once for each phase.
TEST(Reparam, TakesALayerThatStandsThereOnceForEachPhase) {
  std::string text = "input: \"x\" input_shape { dim: 1 dim: 4 dim: 6 dim: 6 }";
  for (const std::string phase : {"TRAIN", "TEST"})
    text +=
        "layer { name: \"c\" type: \"Convolution\" bottom: \"x\" top: \"c\""
        "  include { phase: " +
        phase +
        " }"
        "  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }"
        "layer { name: \"b\" type: \"BatchNorm\" bottom: \"c\" top: \"b\""
        "  include { phase: " +
        phase + " } }";
  ReparamReport report;
  const NetSpec net = reparam(NetSpec::parse(text, "net.prototxt"), {"acnet", "", ""}, &report);
  EXPECT_EQ(report.rewritten(), 2);
  const std::vector<std::string> layers = names(net, "c");
  EXPECT_EQ(layers.size(), 18u);
  const std::unique_ptr<Device> device = test_device();
  for (const Phase phase : {Phase::kTrain, Phase::kTest}) {
    Parameters parameters(*device, 1, true);
    Arena arena(*device);
    NetOptions options;
    options.phase = phase;
    EXPECT_EQ(Net(net, parameters, arena, options).shape("b"), (Shape{1, 4, 6, 6}));
  }
}

// Layers that this program does not have are no obstacle.
TEST(Reparam, TakesNetsThatCouldNotBeBuilt) {
  ReparamReport report;
  reparam(NetSpec::parse("input: \"x\" input_shape { dim: 1 dim: 4 dim: 6 dim: 6 }"
                         "layer { name: \"n\" type: \"LRN\" bottom: \"x\" top: \"n\" }"
                         "layer { name: \"c\" type: \"Convolution\" bottom: \"n\" top: \"c\""
                         "  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }"
                         "layer { name: \"p\" type: \"Permute\" bottom: \"c\" top: \"p\" }"
                         "layer { name: \"d\" type: \"Convolution\" bottom: \"p\" top: \"d\""
                         "  convolution_param { num_output: 4 kernel_size: 3 pad: 1 } }",
                         "net.prototxt"),
          {"dbb", "", ""}, &report);
  EXPECT_EQ(report.rows[0].became, "DBB block of 4 branches");
  EXPECT_EQ(report.rows[1].note, "the channels of its bottom are not known");
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

TEST(Reparam, LeavesWhatNoBlockCanReplace) {
  // A convolution with these fields (`more` of its convolution_param), behind the layers.
  const auto note = [](const std::string& fields, const std::string& layers = "",
                       const std::string& more = "") {
    ReparamReport report;
    reparam(NetSpec::parse("input: \"x\" input_shape { dim: 1 dim: 4 dim: 6 dim: 6 }" + layers +
                               "layer { name: \"c\" type: \"Convolution\" " + fields +
                               " convolution_param { num_output: 4 kernel_size: 3 pad: 1 " + more +
                               "} }",
                           "net.prototxt"),
            {"acnet", "", ""}, &report);
    return report.rows[0].became + report.rows[0].note;
  };
  EXPECT_EQ(note("bottom: \"x\" top: \"c\""), "ACNet block of 3 branches");
  EXPECT_EQ(note("bottom: \"x\" top: \"x\""), "it writes over its bottom");
  EXPECT_EQ(note("bottom: \"x\" bottom: \"x\" top: \"c\" top: \"d\""),
            "it has more than one bottom and one top");
  EXPECT_EQ(note("bottom: \"x\" top: \"c\"", "", "axis: 0 "),
            "it is over other axes than height and width");
  EXPECT_EQ(note("bottom: \"x\" top: \"c\" param { name: \"w\" }"), "it shares parameter \"w\"");
  EXPECT_EQ(note("bottom: \"x\" top: \"c\" loss_weight: 1"), "no block has its loss_weight");
  EXPECT_EQ(note("bottom: \"x\" top: \"c\" include { stage: \"deploy\" }"),
            "no phase has it at level 0 without stages");
  EXPECT_EQ(note("bottom: \"x\" top: \"c\"",
                 "layer { name: \"r\" type: \"ReLU\" bottom: \"x\" top: \"c.hor_conv\" }"),
            "the name \"c.hor_conv\" is in use");
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
  const std::string golden = source_file("tests/golden/net_resnet_basic_");
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
