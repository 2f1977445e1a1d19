#include "solvers/averages.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "orepa/weights.h"
#include "solvers/training_step.h"
#include "tests/comparison.h"
#include "tests/error_of.h"
#include "tests/training.h"

namespace orepa {
namespace {

// Branches, statistics, a frozen layer.
std::string net_text() {
  return R"( {
    layer { name: "in" type: "Input" top: "x" top: "label"
            input_param { shape { dim: 4 dim: 3 dim: 6 dim: 6 } shape { dim: 4 } } }
    layer { name: "conv" type: "ORepaConv" bottom: "x" top: "conv"
            convolution_param { num_output: 4 kernel_size: 3 pad: 1 bias_term: false }
            orepa_param { preset: OREPA } }
    layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
    layer { name: "scale" type: "Scale" bottom: "conv" top: "conv" scale_param { bias_term: true } }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
    layer { name: "frozen" type: "Convolution" bottom: "conv" top: "frozen"
            param { lr_mult: 0 } param { lr_mult: 0 }
            convolution_param { num_output: 4 kernel_size: 1 weight_filler { type: "msra" } } }
    layer { name: "ip" type: "InnerProduct" bottom: "frozen" top: "ip"
            inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } }
)";
}

std::string solver(const std::string& folder, const std::string& more) {
  return text("net_param", net_text(), "base_lr: 0.1 momentum: 0.9 max_iter: 6 snapshot_prefix: '",
              folder, "run' ", more);
}

constexpr const char* kTested = "test_interval: 2 test_iter: 2 test_initialization: false ";

SolverOptions fed() {
  SolverOptions options;
  options.feed = feed_noise;
  return options;
}

using Values = std::map<std::string, std::vector<float>>;

Values values(const Parameters& parameters) {
  Values all;
  for (const auto& parameter : parameters.all())
    if (parameter->kind != Parameter::Kind::kDerived)
      all[parameter->path()] = parameters.read(*parameter);
  return all;
}

// By the definition, in double.
class Expected {
 public:
  explicit Expected(const Values& start) {
    for (const auto& [path, numbers] : start) averages_[path] = {numbers.begin(), numbers.end()};
  }
  void add(double decay, const Values& now) {
    const double d = std::min(decay, (1.0 + updates_) / (10.0 + updates_));
    ++updates_;
    for (auto& [path, average] : averages_)
      for (size_t i = 0; i < average.size(); ++i)
        average[i] = d * average[i] + (1 - d) * double{now.at(path)[i]};
  }
  void expect_near(const Values& got) const {
    ASSERT_EQ(got.size(), averages_.size());
    for (const auto& [path, average] : averages_)
      for (size_t i = 0; i < average.size(); ++i)
        ASSERT_NEAR(got.at(path)[i], average[i], 2e-6 * (1 + std::abs(average[i]))) << path;
  }

 private:
  int updates_ = 0;
  std::map<std::string, std::vector<double>> averages_;
};

// The decay is what the updates say at first, later its bound.
TEST(Averages, FollowTheirDefinition) {
  const std::string folder = test_folder();
  Training run(solver(folder, "ema_decay: 0.35 snapshot_format: HDF5 "), fed());
  Expected expected(values(run->parameters()));
  for (int i = 0; i < 6; ++i) {
    run->step();
    expected.add(0.35, values(run->parameters()));
  }
  const Values live = values(run->parameters());
  run->snapshot();
  EXPECT_EQ(values(run->parameters()), live);
  Training loaded(solver(folder, ""), fed());
  Parameters& parameters = loaded->parameters();
  load_weights({folder + "run_iter_6_ema.caffemodel.h5"}, parameters, true);
  const Values averages = values(parameters);
  expected.expect_near(averages);
  load_weights({folder + "run_iter_6.caffemodel.h5"}, parameters, true);
  EXPECT_EQ(values(parameters).at("ip/weight"), live.at("ip/weight"));
  for (const char* averaged : {"ip/weight", "bn/mean", "bn/variance", "scale/scale"})
    EXPECT_NE(averages.at(averaged), live.at(averaged)) << averaged;
  EXPECT_EQ(averages.at("frozen/weight"), live.at("frozen/weight"));
}

TEST(Averages, AreWhatIsTested) {
  const std::string folder = test_folder();
  Training run(solver(folder, text("ema_decay: 0.9 ", kTested)), fed());
  for (int i = 0; i < 5; ++i) run->step();
  const Values live = values(run->parameters());
  const Evaluation tested = run->test();
  EXPECT_EQ(values(run->parameters()), live);
  run->snapshot();
  Training other(solver(folder, kTested), fed());
  const auto test_of = [&](const char* weights) {
    load_weights({folder + weights}, other->parameters(), true);
    return other->test().outputs[0].values[0];
  };
  const double of_averages = test_of("run_iter_5_ema.caffemodel"),
               of_weights = test_of("run_iter_5.caffemodel");
  EXPECT_NEAR(tested.outputs[0].values[0], of_averages, 1e-6 * std::abs(of_averages));
  EXPECT_GT(std::abs(of_weights - of_averages), 1e-3 * std::abs(of_averages));
}

TEST(Averages, ChangePlacesBackAfterATestThatFails) {
  const std::string folder = test_folder();
  Training run(solver(folder, text("ema_decay: 0.9 ", kTested)), fed());
  run->step();
  const Values live = values(run->parameters());
  run->snapshot();
  const std::string averages = read_all(folder + "run_iter_1_ema.caffemodel");
  SolverOptions failing = fed();
  bool fails = false;
  failing.feed = [&](Net& net, int64_t pass) {
    feed_noise(net, pass);
    require(!fails, "no more data");
  };
  Training broken(solver(folder, text("ema_decay: 0.9 ", kTested)), failing);
  broken->step();
  fails = true;
  EXPECT_NE(error_of([&] { broken->test(); }).find("no more data"), std::string::npos);
  EXPECT_EQ(values(broken->parameters()), live);
  broken->snapshot();
  EXPECT_EQ(read_all(folder + "run_iter_1_ema.caffemodel"), averages);
}

TEST(Averages, ChangeNothingOfTheTraining) {
  const std::string folder = test_folder();
  for (const char* more : {"", "iter_size: 2 ", "clip_gradients: 0.1 "}) {
    Training plain(solver(folder, text(kTested, more)), fed());
    ASSERT_TRUE(plain->solve());
    Training averaged(solver(folder, text(kTested, more, "ema_decay: 0.9 ")), fed());
    ASSERT_TRUE(averaged->solve());
    EXPECT_EQ(averaged.state(), plain.state()) << more;
  }
}

TEST(Averages, AreNotAddedToByAStepThatDoesNotProceed) {
  const std::unique_ptr<Device> device = test_device({Algorithm::kDirect});
  const SolverSettings settings(
      SolverSpec::parse("base_lr: 0.1 momentum: 0.9 ema_decay: 0.9", "solver"));
  Parameters parameters(*device, 1, true);
  Arena arena(*device);
  NetOptions options;
  options.phase = Phase::kTrain;
  const std::string braced = net_text();
  const size_t first = braced.find('{') + 1;
  Net net(NetSpec::parse(braced.substr(first, braced.rfind('}') - first), "net"), parameters, arena,
          options);
  TrainingStep step(settings, net, parameters, [](Net& fed, int64_t pass) {
    feed_noise(fed, pass);
    if (pass == 2)
      fed.set("x", std::vector<float>(static_cast<size_t>(fed.shape("x").count()),
                                      std::numeric_limits<float>::infinity()));
  });
  const auto averages = [&] {
    Values found;
    step.averages()->in_place([&] { found = values(parameters); });
    return found;
  };
  std::vector<Values> after;
  for (int64_t i = 0; i < 4; ++i) {
    step.run(i, 0.1, [] { return false; });
    after.push_back(averages());
  }
  EXPECT_NE(after[1], after[0]);
  EXPECT_EQ(after[2], after[1]);
  EXPECT_EQ(after[3], after[1]);
}

TEST(Averages, AreInThePlannedMemory) {
  const std::string folder = test_folder();
  const int64_t plain = Training(solver(folder, ""), fed())->planned_bytes();
  Training averaged(solver(folder, "ema_decay: 0.9"), fed());
  int64_t bytes = 0;
  for (const auto& parameter : averaged->parameters().all())
    if (parameter->learns() || parameter->kind == Parameter::Kind::kBuffer)
      bytes += parameter->value.bytes();
  EXPECT_GE(averaged->planned_bytes(), plain + bytes);
}

TEST(Averages, HaveADecayBelowOne) {
  const std::string folder = test_folder();
  for (const char* bad : {"ema_decay: 1", "ema_decay: -0.1", "ema_decay: nan"})
    EXPECT_NE(error_of([&] { Training(solver(folder, bad), fed()); }).find("ema_decay"),
              std::string::npos)
        << bad;
}

}  // namespace
}  // namespace orepa
