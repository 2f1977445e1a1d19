#include "engine/graph.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "engine/fuse.h"
#include "tests/error_of.h"

namespace orepa {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

std::string layer(const std::string& name, const std::string& type, const std::string& fields) {
  return "layer { name: \"" + name + "\" type: \"" + type + "\" " + fields + " }\n";
}

// `bottoms` and `tops` are separated by spaces.
std::string layer(const std::string& name, const std::string& type, const std::string& bottoms,
                  const std::string& tops, const std::string& fields = "") {
  std::string text;
  std::string word;
  for (const auto& [list, field] : {std::pair{bottoms, "bottom"}, {tops, "top"}}) {
    std::istringstream words(list);
    while (words >> word) text += std::string(field) + ": \"" + word + "\" ";
  }
  return layer(name, type, text + fields);
}

const std::string kInput = layer("x", "Input", "", "x", "input_param { shape { dim: 2 } }");

std::string graph_error(const std::string& text) {
  return error_of([&] { build_graph(NetSpec::parse(text, "net.prototxt"), {}); });
}

std::vector<std::string> names(const Graph& graph) {
  std::vector<std::string> names;
  for (const Node& node : graph.nodes) {
    std::string name = node.spec.name;
    for (const LayerSpec& absorbed : node.absorbed) name += "+" + absorbed.name;
    names.push_back(name);
  }
  return names;
}

// Keeps the text's layers alive as long as the graph.
struct Built {
  explicit Built(const std::string& text, const LayerFilter& filter = {})
      : spec(NetSpec::parse(text, "net.prototxt")), graph(build_graph(spec, filter)) {}
  NetSpec spec;
  Graph graph;
};

TEST(Graph, InPlaceLayersMakeNewValues) {
  const Built built(kInput + layer("relu", "ReLU", "x", "x") + layer("a", "TanH", "x", "a") +
                    layer("b", "Eltwise", "x a", "b"));
  const Graph& graph = built.graph;
  ASSERT_EQ(graph.values.size(), 4u);
  EXPECT_THAT(graph.nodes[1].inputs, ElementsAre(0));
  EXPECT_THAT(graph.nodes[1].outputs, ElementsAre(1));
  EXPECT_THAT(graph.nodes[3].inputs, ElementsAre(1, 2));
  EXPECT_THAT(graph.values[1].consumers, ElementsAre(2, 3));
  EXPECT_EQ(graph.find("x"), 1);
  EXPECT_EQ(graph.find("z"), -1);
  EXPECT_THAT(graph.blobs(), ElementsAre("x", "a", "b"));
}

TEST(Graph, KeepsTheLayersOfItsPhaseLevelAndStages) {
  const std::string text =
      kInput + layer("train", "ReLU", "x", "a", "include { phase: TRAIN }") +
      layer("test", "ReLU", "x", "a", "exclude { phase: TRAIN }") +
      layer("deep", "ReLU", "x", "b", "include { min_level: 2 max_level: 3 }") +
      layer("staged", "ReLU", "x", "c", "include { stage: \"s\" not_stage: \"t\" }") +
      layer("either", "ReLU", "x", "d", "include { stage: \"s\" } include { phase: TRAIN }");
  EXPECT_THAT(names(Built(text, {Phase::kTrain, 0, {}}).graph),
              ElementsAre("x", "train", "either"));
  EXPECT_THAT(names(Built(text, {Phase::kTest, 2, {}}).graph), ElementsAre("x", "test", "deep"));
  EXPECT_THAT(names(Built(text, {Phase::kTest, 4, {"s"}}).graph),
              ElementsAre("x", "test", "staged", "either"));
  EXPECT_THAT(names(Built(text, {Phase::kTest, 1, {"s", "t"}}).graph),
              ElementsAre("x", "test", "either"));
}

TEST(Graph, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(graph_error(kInput + layer("a", "ReLU", "y", "a")),
              AllOf(testing::StartsWith("net.prototxt:2:"), HasSubstr("layer \"a\" (ReLU)"),
                    HasSubstr("bottom \"y\"")));
  EXPECT_THAT(graph_error(layer("d", "Input", "", "data") + layer("a", "ReLU", "dta", "a")),
              HasSubstr("did you mean \"data\"?"));
  EXPECT_THAT(graph_error(layer("a", "ReLU", "b", "a") + layer("late", "Input", "", "b")),
              HasSubstr("layer \"late\" makes it, but stands later"));
  EXPECT_THAT(graph_error(kInput + layer("a", "ReLU", "x", "a") + layer("b", "TanH", "x", "a")),
              HasSubstr("top \"a\" is made already, by layer \"a\""));
  EXPECT_THAT(graph_error(kInput + layer("a", "ReLU", "x", "a a")), HasSubstr("made already"));
  EXPECT_THAT(graph_error(kInput + layer("x", "ReLU", "x", "a")),
              AllOf(testing::StartsWith("net.prototxt:2:"), HasSubstr("the same name")));
  EXPECT_THAT(graph_error(kInput + layer("a", "ReLU", "x", "a",
                                         "include { phase: TRAIN } exclude { phase: TEST }")),
              HasSubstr("include and exclude"));
  EXPECT_THAT(graph_error(layer("a", "Input", "", "a", "include { phase: TRAIN }")),
              HasSubstr("no layer is left for phase TEST"));
}

TEST(Graph, SaysAllThatIsWrongTogether) {
  ErrorList errors;
  const NetSpec net =
      NetSpec::parse(kInput + layer("a", "ReLU", "none nor", "a") + layer("a", "ReLU", "x", "x") +
                         layer("b", "ReLU", "a", "b"),
                     "net.prototxt");
  const Graph graph = build_graph(net, {}, errors);
  EXPECT_THAT(errors.each(),
              ElementsAre(HasSubstr("bottom \"none\""), HasSubstr("bottom \"nor\""),
                          HasSubstr("another layer of this phase has the same name")));
  std::vector<bool> faulty;
  for (const Node& node : graph.nodes) faulty.push_back(node.faulty);
  EXPECT_THAT(faulty, ElementsAre(false, true, true, false));
  try {
    errors.raise();
    ADD_FAILURE() << "errors are thrown";
  } catch (const Errors& thrown) {
    EXPECT_EQ(thrown.each(), errors.each());
    EXPECT_EQ(thrown.what(), errors.each()[0] + "\n" + errors.each()[1] + "\n" + errors.each()[2]);
  }
}

// --- fusion -------------------------------------------------------------------------------------

std::vector<std::string> fused(const std::string& text, bool backward = true,
                               const std::vector<std::string>& keep = {}) {
  Built built(kInput + text);
  fuse(built.graph, backward, keep);
  return names(built.graph);
}

const std::string kBatchNorm = layer("bn", "BatchNorm", "x", "bn");
const std::string kScale = layer("scale", "Scale", "bn", "bn");
const std::string kReLU = layer("relu", "ReLU", "bn", "bn");

TEST(Fuse, BatchNormTakesScaleAndReLU) {
  EXPECT_THAT(fused(kBatchNorm + kScale + kReLU), ElementsAre("x", "bn+scale+relu"));
  EXPECT_THAT(fused(kBatchNorm + kScale), ElementsAre("x", "bn+scale"));
  EXPECT_THAT(fused(kBatchNorm + kReLU), ElementsAre("x", "bn+relu"));
  EXPECT_THAT(fused(kBatchNorm + kReLU + kScale), ElementsAre("x", "bn+relu", "scale"));
}

TEST(Fuse, EltwiseTakesReLU) {
  EXPECT_THAT(fused(layer("sum", "Eltwise", "x x", "y") + layer("relu", "ReLU", "y", "y")),
              ElementsAre("x", "sum+relu"));
}

TEST(Fuse, ConvolutionTakesReLUWhereNoBackwardPassFollows) {
  const std::string text = layer("conv", "Convolution", "x", "y") + layer("relu", "ReLU", "y", "z");
  EXPECT_THAT(fused(text, false), ElementsAre("x", "conv+relu"));
  EXPECT_THAT(fused(text, true), ElementsAre("x", "conv", "relu"));
}

TEST(Fuse, LeavesWhatOthersRead) {
  const std::string reader = layer("reader", "TanH", "bn", "y");
  EXPECT_THAT(fused(kBatchNorm + reader + kScale), ElementsAre("x", "bn", "reader", "scale"));
  EXPECT_THAT(fused(kBatchNorm + layer("scale", "Scale", "bn", "y"), true, {"bn"}),
              ElementsAre("x", "bn", "scale"));
}

TEST(Fuse, LeavesWhatItCannotCompute) {
  const std::string leaky = layer("relu", "ReLU", "bn", "bn", "relu_param { negative_slope: 0.1 }");
  EXPECT_THAT(fused(kBatchNorm + leaky), ElementsAre("x", "bn", "relu"));
  const std::string rows = layer("scale", "Scale", "bn", "bn", "scale_param { axis: 2 }");
  EXPECT_THAT(fused(kBatchNorm + rows), ElementsAre("x", "bn", "scale"));
  EXPECT_THAT(fused(kBatchNorm + layer("scale", "Scale", "bn x", "y")),
              ElementsAre("x", "bn", "scale"));
}

TEST(Fuse, RenumbersWhatIsLeft) {
  Built built(kInput + kBatchNorm + kScale + kReLU + layer("sum", "Eltwise", "x bn", "y"));
  fuse(built.graph, true, {});
  const Graph& graph = built.graph;
  ASSERT_EQ(graph.nodes.size(), 3u);
  ASSERT_EQ(graph.values.size(), 3u);
  EXPECT_THAT(graph.nodes[1].inputs, ElementsAre(0));
  EXPECT_THAT(graph.nodes[2].inputs, ElementsAre(0, 1));
  EXPECT_EQ(graph.values[1].producer, 1);
  EXPECT_THAT(graph.values[1].consumers, ElementsAre(2));
  EXPECT_THAT(graph.values[0].consumers, ElementsAre(1, 2));
}

// They are paths in HDF5 files, and stand in JSON and ONNX.
TEST(BuildGraph, NamesArePathsOfUtf8) {
  const auto named = [](const std::string& name) {
    return graph_error(kInput + layer(name, "ReLU", "x", "y"));
  };
  for (const std::string& name :
       {std::string("inception_3a/1x1"), std::string("..."), std::string("a b"),
        std::string("\\303\\251"), std::string(236, 'x')})
    EXPECT_EQ(named(name), "") << name;
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a/./b"), std::string("a//b"),
        std::string("/a"), std::string("a/"), std::string("\\377"), std::string("a\\000b"),
        std::string("a\\033[2J"), std::string(237, 'x')}) {
    EXPECT_THAT(named(name), testing::StartsWith("net.prototxt:2:9: a layer of type \"ReLU\" has "))
        << name;
    EXPECT_THAT(graph_error(kInput + layer("y", "ReLU", "bottom: \"x\" top: \"" + name + "\"")),
                testing::StartsWith("net.prototxt:2:"))
        << name;
  }
}

TEST(BuildGraph, HasNoMoreLayersThanWorkCanBeDoneOn) {
  std::string net = kInput, many_tops = "top: \"x0\"";
  for (int i = 0; i < 20'000; ++i) net += layer(std::to_string(i), "ReLU", "x", "x");
  EXPECT_THAT(graph_error(net), HasSubstr("net.prototxt:20001:1: layer \"19999\" (ReLU): is one "));
  for (int i = 1; i < 50'000; ++i) many_tops += " top: \"x" + std::to_string(i) + "\"";
  EXPECT_THAT(graph_error(layer("x", "Input", many_tops)), HasSubstr("is one too many"));
}

}  // namespace
}  // namespace orepa
