// What debug_info tells of an iteration.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "tests/training.h"

namespace orepa {
namespace {

const char* const kNet = R"(net_param {
  layer { name: "in" type: "Input" top: "x" top: "label"
          input_param { shape { dim: 4 dim: 2 dim: 5 dim: 5 } shape { dim: 4 } } }
  layer { name: "conv" type: "ORepaConv" bottom: "x" top: "conv"
          convolution_param { num_output: 4 kernel_size: 3 pad: 1 } orepa_param { preset: OREPA } }
  layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "bn" }
  layer { name: "relu" type: "ReLU" bottom: "bn" top: "bn" }
  layer { name: "ip" type: "InnerProduct" bottom: "bn" top: "ip"
          inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
  layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } }
base_lr: 0.5 max_iter: 4 snapshot_after_train: false )";

SolverOptions fed() {
  SolverOptions options;
  options.feed = feed_noise;
  return options;
}

double mean_size(const std::vector<float>& values) {
  double sum = 0;
  for (const float value : values) sum += std::abs(value);
  return sum / static_cast<double>(values.size());
}

TEST(DebugInfo, TellsWhatAnIterationMakes) {
  Training run(std::string(kNet) + "debug_info: true", fed());
  const Parameter& weight = *run->parameters().find("ip", "weight");
  const std::vector<float> before = run->parameters().read(weight);
  const double loss = run->step();
  std::vector<float> change = run->parameters().read(weight);
  for (size_t i = 0; i < change.size(); ++i) change[i] -= before[i];

  std::map<std::string, Measure> told;
  for (const auto& [iteration, measure] : run.listener.measures) {
    EXPECT_EQ(iteration, 1);
    const std::string stage = measure.stage == Stage::kForward    ? "forward "
                              : measure.stage == Stage::kBackward ? "backward "
                                                                  : "update ";
    EXPECT_TRUE(told.emplace(stage + measure.layer + " " + measure.name, measure).second);
    EXPECT_EQ(measure.data.has_value(), measure.stage != Stage::kBackward);
    EXPECT_EQ(measure.gradient.has_value(), measure.stage != Stage::kForward);
  }
  // In order: forward from the sources, backward from the loss, updates.
  EXPECT_EQ(run.listener.measures.front().second.name, "x");
  EXPECT_EQ(run.listener.measures.back().second.stage, Stage::kUpdate);
  EXPECT_NEAR(*told.at("forward loss loss").data, loss, 1e-6);
  EXPECT_GT(*told.at("forward bn + relu bn").data, 0);
  EXPECT_GT(*told.at("backward bn + relu conv").gradient, 0);
  EXPECT_FALSE(told.contains("backward conv x"));  // nobody wants it
  const Measure& update = told.at("update ip weight");
  EXPECT_NEAR(*update.data, mean_size(before), 1e-6);
  EXPECT_NEAR(*update.gradient, mean_size(change) / 0.5, 1e-4 * *update.gradient);
  // Of branches too, whose gradients exist in their layer's update alone.
  EXPECT_GT(*told.at("update conv kxk.weight").gradient, 0);
}

TEST(DebugInfo, ChangesNothingAndHeedsDisplay) {
  Training plain(kNet, fed());
  plain->solve();
  Training run(std::string(kNet) + "debug_info: true display: 2 clip_gradients: 100", fed());
  run->solve();
  EXPECT_TRUE(plain.listener.measures.empty());
  EXPECT_EQ(run.state(), plain.state());
  std::map<int64_t, int> updates;
  for (const auto& [iteration, measure] : run.listener.measures)
    updates[iteration] += measure.stage == Stage::kUpdate && measure.layer == "ip";
  EXPECT_EQ(updates, (std::map<int64_t, int>{{2, 2}, {4, 2}}));
}

}  // namespace
}  // namespace orepa
