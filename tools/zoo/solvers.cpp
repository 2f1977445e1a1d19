#include "solvers.h"

namespace orepa::zoo {
namespace {

constexpr const char* kPaper =
    R"(# The OREPA paper's recipe (Hu et al., CVPR 2022): 120 epochs, 256 images a step, rate 0.1 with a cosine behind 5 epochs
# of warm-up. A step is 16 passes of 16 images; a BatchNorm sees those of a pass, in the paper the 64 of a GPU.
)";
constexpr const char* kPaperRecipe = R"(type: "SGD"
momentum: 0.9
momentum_convention: PYTORCH
base_lr: 0.1
lr_policy: "cosine"
warmup_epoch: 5
max_epoch: 120
iter_size: 16
weight_decay: 0.0001
# No decay on biases and BatchNorm's affine part (the scales of branches, NAME.scale, decay); biases learn twice as fast.
param_rule { name: ".*/bias" lr_mult: 2 decay_mult: 0 }
param_rule { name: ".*/scale" decay_mult: 0 }
)";

constexpr const char* kVgg =
    R"(# As in the paper: 74 epochs (370,000 iterations) of 256 images a step, rate 0.01, three times divided by 10: there where the
# validation error stopped falling, here after equal parts. A step is 16 passes of 16 images.
)";
constexpr const char* kVggRecipe = R"(type: "SGD"
momentum: 0.9
base_lr: 0.01
lr_policy: "multistep"
gamma: 0.1
stepvalue_epoch: 18.5
stepvalue_epoch: 37
stepvalue_epoch: 55.5
max_epoch: 74
iter_size: 16
weight_decay: 0.0005
param_rule { name: ".*/bias" lr_mult: 2 decay_mult: 0 }
)";

constexpr const char* kRun =
    R"(# Of the net's layers those that read images; orepa_tool train --data DIR says where they are.
train_state { stage: "images" }
test_state { stage: "images" }
test_interval_epoch: 1
test_initialization: false
snapshot_epoch: 1
snapshot_keep: 3
random_seed: 1
)";

}  // namespace

std::string solver(const Model& model, const std::string& style) {
  const bool vgg = std::holds_alternative<Vgg16>(model.network);
  return std::string(vgg ? kVgg : kPaper) + "# " + kGenerated + "\nnet: \"models/" + model.name +
         "/" + style + "/train_val.prototxt\"\n" + (vgg ? kVggRecipe : kPaperRecipe) + kRun +
         "snapshot_prefix: \"runs/" + model.name + "_" + style + "/" + model.name + "\"\n";
}

}  // namespace orepa::zoo
