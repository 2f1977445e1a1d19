#include "golden.h"

#include "io/text/print_text.h"
#include "models.h"
#include "orepa/error.h"

namespace orepa::zoo {
namespace {

const ResNet kBasic{{1, 1, 1, 1}, false, 0.125}, kBottleneck{{1, 1, 1, 1}, true, 0.125};
const RepVgg kRepVgg{{1, 1, 2, 1}, {0.125, 0.125, 0.125, 0.125}};

struct Golden {
  std::string name;
  Network network;
  std::string style;
};

const std::vector<Golden> kNets = {{"net_resnet_basic_base", kBasic, "plain"},
                                   {"net_resnet_basic_dbb", kBasic, "dbb"},
                                   {"net_resnet_basic_orepa", kBasic, "orepa"},
                                   {"net_resnet_bottleneck_orepa", kBottleneck, "orepa"},
                                   {"net_repvgg_repvgg", kRepVgg, "repvgg"},
                                   {"net_repvgg_orepa", kRepVgg, "orepa_vgg"}};

// Nothing decays whose published name has bias or bn; rbr_identity, a BatchNorm, has neither. Where
// it has bias, BatchNorm's included, the rate is doubled.
constexpr const char* kRecipe = R"(
base_lr: 0.02
lr_policy: "fixed"
momentum: 0.9
momentum_convention: PYTORCH
weight_decay: 0.01
max_iter: 4
param_rule { name: ".*/bias" lr_mult: 2 decay_mult: 0 }
param_rule { name: ".*/scale" decay_mult: 0 }
param_rule { name: ".*rbr_identity.scale/scale" decay_mult: 1 }
)";

LayerParameter& add_input(NetBuilder& net, const std::string& name,
                          const std::vector<int>& extents) {
  LayerParameter& input = net.add(name, "Input", {}, name);
  BlobShape& shape = *input.mutable_input_param()->add_shape();
  for (const int extent : extents) shape.add_dim(extent);
  return input;
}

}  // namespace

std::vector<std::string> golden_names() {
  std::vector<std::string> names;
  for (const Golden& golden : kNets) names.push_back(golden.name);
  return names;
}

SolverSpec golden_solver(const std::string& name, const std::string& more) {
  for (const Golden& golden : kNets) {
    if (golden.name != name) continue;
    NetBuilder net(name);
    add_input(net, "x", {8, 3, 64, 64});
    add_input(net, "t", {8}).add_include()->set_phase(TRAIN);
    const std::string logits = add(net, golden.network, "x", 10);
    net.add("loss", "SoftmaxWithLoss", {logits, "t"}, "loss").add_include()->set_phase(TRAIN);
    const NetSpec styled = in_style(net.net(), golden.network, golden.style);
    return SolverSpec::parse("net_param {\n" + print_text(styled.proto()) + "}" + kRecipe + more,
                             name);
  }
  fail("there is no golden net \"", name, "\"", did_you_mean(name, golden_names()));
}

}  // namespace orepa::zoo
