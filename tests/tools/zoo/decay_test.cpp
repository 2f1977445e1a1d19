// What weight decay acts on: in every net of the zoo, and in every style of a foreign one.
#include <gtest/gtest.h>

#include <map>

#include "orepa/net.h"
#include "orepa/solver.h"
#include "tests/files.h"
#include "tests/reparam/expand/plain_net.h"
#include "tests/test_device.h"
#include "tools/zoo/models.h"
#include "tools/zoo/solvers.h"

namespace orepa::zoo {
namespace {

std::vector<ParameterRule> rules_of(const SolverSpec& solver) {
  std::vector<ParameterRule> rules;
  for (const Options& rule : solver.options().messages("param_rule"))
    rules.push_back(
        {rule.string("name"), false, true, 1, static_cast<float>(rule.number("decay_mult"))});
  return rules;
}

std::vector<ParameterRule> shipped_rules() {
  return rules_of(SolverSpec::parse(solver(model("resnet18"), "dbb"), "solver.prototxt"));
}

// Of learned parameters in phase TRAIN.
struct Counts {
  int decaying = 0, spared = 0;
  bool operator==(const Counts&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Counts& counts) {
  return out << counts.decaying << " decaying, " << counts.spared << " spared";
}

// Expects what the OREPA paper's recipe says: weights and scaling vectors of branches decay, biases
// and what belongs to a BatchNorm do not.
Counts count_as_published(const NetSpec& net, const std::vector<ParameterRule>& rules) {
  const std::unique_ptr<Device> device = test_device();
  Parameters parameters(*device, 1, true, rules);
  Arena arena(*device);
  NetOptions options;
  options.phase = Phase::kTrain;
  options.batch_size = 1;
  options.allocate = false;
  const Net built(net, parameters, arena, options);
  std::map<std::string, std::string> types;
  for (const LayerParameter& layer : net.proto().layer()) types[layer.name()] = layer.type();
  Counts counts;
  for (const auto& parameter : parameters.all()) {
    if (parameter->kind != Parameter::Kind::kLearned) continue;
    const std::string& type = types.at(parameter->layer);
    const bool spared = type == "Scale" || type == "BatchNormPad" || parameter->name == "bias";
    EXPECT_EQ(parameter->decay_mult == 0, spared) << net.name() << ": " << parameter->path();
    ++(parameter->decay_mult == 0 ? counts.spared : counts.decaying);
  }
  return counts;
}

TEST(Decay, OfEveryZooNetIsAsPublished) {
  for (const Model& model : models())
    for (const std::string& style : model.styles) {
      const SolverSpec shipped = SolverSpec::parse(solver(model, style), "solver.prototxt");
      const Counts counts = count_as_published(train_val(model, style), rules_of(shipped));
      EXPECT_GE(counts.decaying, 16) << model.name << " " << style;
      EXPECT_GE(counts.spared, 16) << model.name << " " << style;
    }
  // 20 convolutions and the inner product; 20 BatchNorms with scale and bias, and a bias.
  EXPECT_EQ(count_as_published(train_val(model("resnet18"), "plain"), shipped_rules()),
            (Counts{21, 41}));
}

// VGG's solver has no rule for BatchNorm, since the plain net has none.
TEST(Decay, OfEveryZooNetInEveryStyleIsAsPublished) {
  for (const char* name : {"vgg16", "mobilenet_v1", "resnet18"})
    for (const std::string& style : reparam_styles()) {
      const NetSpec net = reparam(train_val(model(name), "plain"), {style, "", ""});
      const SolverSpec shipped = SolverSpec::parse(solver(model(name), "plain"), "solver.prototxt");
      const Counts counts = count_as_published(net, rules_of(shipped));
      EXPECT_GE(counts.decaying, 16) << name << " " << style;
      EXPECT_GE(counts.spared, 16) << name << " " << style;
    }
}

TEST(Decay, OfFashionMnistIsAsPublishedInEveryStyle) {
  const std::string folder = source_file("models/fashion_mnist/plain/");
  NetParameter plain = NetSpec::read(folder + "train_val.prototxt").proto();
  plain.mutable_layer()->DeleteSubrange(0, 2);  // its data need not be there
  NetParameter net = NetSpec::parse(
                         "layer { name: 'data' type: 'DummyData' top: 'data' top: 'label'"
                         " dummy_data_param { shape { dim: 1 dim: 1 dim: 28 dim: 28 }"
                         " shape { dim: 1 } } }",
                         "data")
                         .proto();
  net.mutable_layer()->MergeFrom(plain.layer());
  const std::vector<ParameterRule> rules = rules_of(SolverSpec::read(folder + "solver.prototxt"));
  EXPECT_EQ(count_as_published(NetSpec(net), rules), (Counts{10, 19}));
  for (const std::string& style : reparam_styles())
    EXPECT_GE(count_as_published(reparam(NetSpec(net), {style, "", ""}), rules).decaying, 17)
        << style;
}

// Its layers have names, multipliers and BatchNorms without Scale of their own.
TEST(Decay, OfAForeignNetIsAsPublishedInEveryStyle) {
  // Of 10 convolutions and an inner product, of 7 Scales and 4 biases, and what the blocks add:
  // 6 in ACNet, 5 in the others but OREPA, which has 9 and no BatchNorm in them.
  const std::map<std::string, Counts> expected = {
      {"acnet", {11 + 6 * 2, 18 + 6 * 4}},
      {"dbb", {11 + 3 * 4 + 2 * 2, 18 + 3 * 10 + 2 * 6}},
      {"orepa", {2 + 7 * 14 + 3 * 14 + 5, 18}},
      {"orepa_vgg", {11 + 5 * 12, 18 + 5 * 2 + 4 * 2}},
      {"repvgg", {11 + 5, 18 + 5 * 2 + 4 * 2}}};
  for (const std::string& style : reparam_styles())
    EXPECT_EQ(count_as_published(reparam_as(style), shipped_rules()), expected.at(style)) << style;
}

// Without a rule that names them: what a block's BatchNorms have beyond the net's own.
TEST(Decay, LeavesOutBatchNormsThatAStyleAdds) {
  const NetSpec plain = NetSpec::parse(R"(
layer { name: "data" type: "DummyData" top: "data"
  dummy_data_param { shape { dim: 1 dim: 8 dim: 6 dim: 6 } } }
layer { name: "bare" type: "Convolution" bottom: "data" top: "bare" param {} param { decay_mult: 0 }
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 } }
layer { name: "conv" type: "Convolution" bottom: "bare" top: "conv"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 bias_term: false } }
layer { name: "bn_conv" type: "BatchNorm" bottom: "conv" top: "conv" }
)",
                                       "plain");
  for (const std::string& style : reparam_styles())
    EXPECT_GE(count_as_published(reparam(plain, {style, "", ""}), {}).decaying, 4) << style;
}

}  // namespace
}  // namespace orepa::zoo
