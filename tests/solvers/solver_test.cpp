#include "orepa/solver.h"

#include "io/lock_file.h"
#include "orepa/random.h"
#include "tests/comparison.h"
#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"
#include "tests/training.h"

namespace orepa {
namespace {

// A net with inputs of `batch` samples, without BatchNorm.
std::string net_text(int batch) {
  return text(R"(net_param {
    layer { name: "in" type: "Input" top: "x" top: "label"
            input_param { shape { dim: )",
              batch, R"( dim: 3 dim: 6 dim: 6 } shape { dim: )", batch, R"( } } }
    layer { name: "conv" type: "ORepaConv" bottom: "x" top: "conv"
            convolution_param { num_output: 4 kernel_size: 3 pad: 1 }
            orepa_param { preset: OREPA } }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
    layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
            inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } }
)");
}

const std::string kSgd = "base_lr: 0.05 momentum: 0.9 max_iter: 6 snapshot_after_train: false ";

// Sample n of an endless set is a function of n, so that batches of any size walk over the same.
void feed(Net& net, int64_t pass) {
  const Shape shape = net.shape("x");
  std::vector<float> images, labels;
  for (int64_t n = 0; n < shape[0]; ++n) {
    const Random random(1, "sample", static_cast<uint64_t>(pass * shape[0] + n));
    for (int64_t i = 0; i < shape.count(1, 4); ++i) images.push_back(2 * random.uniform(i) - 1);
    labels.push_back(static_cast<float>(random.below(1000, 5)));
  }
  net.set("x", images);
  net.set("label", labels);
}

SolverOptions fed() {
  SolverOptions options;
  options.feed = feed;
  return options;
}

// Learned values, one after another.
std::vector<float> weights(Training& run) {
  std::vector<float> all;
  for (const auto& parameter : run->parameters().all())
    if (parameter->kind == Parameter::Kind::kLearned)
      for (const float value : run->parameters().read(*parameter)) all.push_back(value);
  return all;
}

Parameter& ip_weight(Training& training) { return *training->parameters().find("ip", "weight"); }

double norm_of_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double squares = 0;
  for (size_t i = 0; i < a.size(); ++i) squares += (double{a[i]} - b[i]) * (double{a[i]} - b[i]);
  return std::sqrt(squares);
}

TEST(Solver, TwoHalvesOfABatchEqualTheWhole) {
  for (const std::string clip : {"", "clip_gradients: 0.5 "}) {
    // Caffe clips the sum over passes, before the division by iter_size.
    const std::string half_clip = clip.empty() ? "" : "clip_gradients: 1 ";
    Training whole(net_text(8) + kSgd + clip, fed());
    Training halves(net_text(4) + kSgd + half_clip + "iter_size: 2", fed());
    for (int i = 0; i < 4; ++i) EXPECT_NEAR(whole->step(), halves->step(), 1e-5) << clip;
    const std::vector<float> wanted = weights(whole);
    EXPECT_LE(largest_difference(weights(halves), wanted), 1e-5f * largest(wanted)) << clip;
  }
}

TEST(Solver, FinishesBranchesOnceAStep) {
  Training run(net_text(4) + kSgd + "iter_size: 3", fed());
  for (int i = 0; i < 2; ++i) run->step();
  for (const LayerReport& layer : run->net().report()) {
    if (layer.type != "ORepaConv") continue;
    EXPECT_EQ(layer.calls, (std::array<int64_t, 5>{6, 6, 2, 2, 2}));  // by Stage
    return;
  }
  FAIL() << "the net reports no ORepaConv";
}

TEST(Solver, ClipsByTheNormOverBranchGradients) {
  // With rate 1 and no momentum the step is the gradient.
  const std::string plain = net_text(8) + "base_lr: 1 max_iter: 1 ";
  Training free(plain, fed());
  const std::vector<float> start = weights(free);
  free->step();
  const double norm = norm_of_difference(weights(free), start);
  ASSERT_GT(norm, 1e-2);
  for (const int passes : {1, 2}) {
    Training clipped(plain + text("clip_gradients: ", norm / 2, " iter_size: ", passes), fed());
    clipped->step();
    // 1e-4: a step is the difference of two rounded weights, some thousand times as large.
    EXPECT_NEAR(norm_of_difference(weights(clipped), start), norm / 2 / passes, 1e-4 * norm);
  }
  Training loose(plain + text("clip_gradients: ", norm * 2), fed());
  loose->step();
  EXPECT_EQ(weights(loose), weights(free));
}

TEST(Solver, RulesSetMultipliers) {
  const std::string rules = R"(weight_decay: 0.1
    param_rule { name: "conv/.*" lr_mult: 0 }
    param_rule { name: "ip/weight" decay_mult: 0 lr_mult: 2 }
    param_rule { name: "ip/.*" lr_mult: 0.5 }
    param_rule { name: "ip" lr_mult: 7 } )";
  Training run(net_text(4) + kSgd + rules, fed());
  const Parameters& parameters = run->parameters();
  EXPECT_EQ(parameters.find("ip", "weight")->lr_mult, 0.5f);  // the last match wins
  EXPECT_EQ(parameters.find("ip", "weight")->decay_mult, 0);  // what it does not set stays
  EXPECT_EQ(parameters.find("ip", "bias")->decay_mult, 1);
  std::map<std::string, std::vector<float>> before;
  for (const auto& p : parameters.all()) before[p->path()] = parameters.read(*p);
  run->step();
  run->step();
  for (const auto& p : parameters.all()) {
    if (p->kind == Parameter::Kind::kDerived) continue;
    const bool frozen = p->layer == "conv";
    EXPECT_EQ(parameters.read(*p) == before[p->path()], frozen) << p->path();
    EXPECT_EQ(largest(run->history(*p)) == 0, frozen) << p->path();
  }
}

// By how much `more` changes the first step of ip/weight, and that weight before it.
std::pair<std::vector<float>, std::vector<float>> effect_on_a_step(const std::string& more) {
  Training plain(net_text(4) + kSgd, fed()), changed(net_text(4) + kSgd + more, fed());
  const std::vector<float> before = plain->parameters().read(ip_weight(plain));
  plain->step();
  changed->step();
  std::vector<float> effect = changed->parameters().read(ip_weight(changed));
  const std::vector<float> without = plain->parameters().read(ip_weight(plain));
  for (size_t i = 0; i < effect.size(); ++i) effect[i] -= without[i];
  return {effect, before};
}

TEST(Solver, DecaysBySignOrBySize) {
  const auto [l2, weight] = effect_on_a_step("weight_decay: 0.2");
  const auto [l1, same] = effect_on_a_step("weight_decay: 0.2 regularization_type: 'L1'");
  ASSERT_EQ(weight, same);
  // The rate is 0.05; weights are below 1, so their rounding is below 1e-7.
  for (size_t i = 0; i < weight.size(); ++i) {
    EXPECT_NEAR(l2[i], -0.05f * 0.2f * weight[i], 2e-7f);
    EXPECT_NEAR(l1[i], -0.05f * 0.2f * (weight[i] > 0 ? 1 : -1), 2e-7f);
  }
}

TEST(Solver, MomentumHoldsTheRateInCaffesConventionOnly) {
  // The rate falls to a tenth after the second iteration: Caffe's momentum stays as large as it
  // was.
  const std::string solver = net_text(4) + kSgd + "lr_policy: 'step' stepsize: 2 gamma: 0.1 ";
  Training caffe(solver, fed()), pytorch(solver + "momentum_convention: PYTORCH", fed());
  for (int i = 0; i < 2; ++i) EXPECT_NEAR(caffe->step(), pytorch->step(), 1e-5);
  std::vector<float> wanted = pytorch->history(ip_weight(pytorch));
  for (float& v : wanted) v *= 0.05f;
  EXPECT_LE(largest_difference(caffe->history(ip_weight(caffe)), wanted), 1e-5f * largest(wanted));
  caffe->step();
  pytorch->step();
  EXPECT_GT(largest_difference(caffe->parameters().read(ip_weight(caffe)),
                               pytorch->parameters().read(ip_weight(pytorch))),
            0.5f * largest(wanted));
}

TEST(Solver, TheSameSeedGivesTheSameBitsTwice) {
  const std::string solver = net_text(8) + kSgd + "weight_decay: 0.01 ";
  std::vector<std::vector<float>> states;
  for (const int seed : {3, 3, 4}) {
    Training run(solver + text("random_seed: ", seed), fed());
    for (int i = 0; i < 3; ++i) run->step();
    states.push_back(run.state());
  }
  EXPECT_EQ(states[0], states[1]);
  EXPECT_NE(states[0], states[2]);
}

TEST(Solver, StopsBeforeTheUpdateWhereTheLossIsNotFinite) {
  const std::string prefix = test_folder() + "run";
  Training run(net_text(4) + kSgd + "snapshot_prefix: '" + prefix + "'", fed());
  run->step();
  const std::string state = run->snapshot();
  run->step();
  Parameter& weight = ip_weight(run);
  run->parameters().write(weight, std::vector<float>(weight.value.count(), 3e38f));
  const std::vector<float> before = run.state();
  const std::string message = error_of([&] { run->step(); });
  EXPECT_NE(message.find("iteration 2"), std::string::npos) << message;
  EXPECT_NE(message.find("layer \"ip\" (InnerProduct)"), std::string::npos) << message;
  EXPECT_NE(message.find(state), std::string::npos) << message;
  EXPECT_EQ(run.state(), before);
  EXPECT_EQ(run->iteration(), 2);
  EXPECT_EQ(Training(net_text(4) + kSgd, resuming(state))->iteration(), 1);
}

TEST(Solver, StopsBeforeTheUpdateWhereAGradientIsNotFinite) {
  std::string net = net_text(4);
  net.replace(net.find("top: \"loss\""), 11, "top: \"loss\" loss_weight: 1e38 ");
  SolverOptions options;
  options.feed = [](Net& net, int64_t) {
    net.set("x", std::vector<float>(net.shape("x").count(), 100.0f));
    net.set("label", std::vector<float>(4, 1.0f));
  };
  Training run(net + kSgd, options);
  Parameter& weight = ip_weight(run);
  run->parameters().write(weight, std::vector<float>(weight.value.count(), 0.0f));
  const std::vector<float> before = run.state();
  const std::string message = error_of([&] { run->step(); });
  EXPECT_NE(message.find("gradient of ip/weight"), std::string::npos) << message;
  EXPECT_EQ(run.state(), before);
}

// Scaling by 1e-38 a kernel N of 1e38 gives a W like any other, but the gradient of the scaling
// vector is the sum of dW N, which no float holds. It exists only once finish() makes it, behind
// the update of the layer before.
TEST(Solver, StopsBeforeTheUpdateOfALayerWhoseFactorsGradientIsNotFinite) {
  const std::string prefix = test_folder() + "run";
  std::string net = net_text(4);
  net.insert(
      net.find("layer { name: \"conv\""),
      "layer { name: 'first' type: 'Convolution' bottom: 'x' top: 'first' convolution_param { "
      "num_output: 3 kernel_size: 1 weight_filler { type: 'xavier' } } } ");
  net.replace(net.find("bottom: \"x\" top: \"conv\""), 11, "bottom: 'first'");
  net.replace(net.find("top: \"loss\""), 11, "top: \"loss\" loss_weight: 1000 ");
  const std::string solver = net + kSgd + "snapshot: 1 snapshot_prefix: '" + prefix + "' ";
  // Clipping needs all gradients before the first update, so there nothing is updated at all.
  for (const bool clipped : {false, true}) {
    Training run(solver + (clipped ? "clip_gradients: 1" : ""), fed());
    Parameters& parameters = run->parameters();
    const auto scale = [&](const std::string& name, float by) {
      Parameter& parameter = *parameters.find("conv", name);
      std::vector<float> values = parameters.read(parameter);
      for (float& value : values) value *= by;
      parameters.write(parameter, values);
    };
    scale("1x1_kxk.weight", 1e38f);
    scale("1x1_kxk.scale", 1e-38f);
    const auto read = [&](const std::string& layer, const std::string& name) {
      return parameters.read(*parameters.find(layer, name));
    };
    const std::vector<float> first = read("first", "weight"), kxk = read("conv", "kxk.weight"),
                             ip = read("ip", "weight");
    const std::string message = error_of([&] { run->solve(); });
    EXPECT_NE(message.find("the gradient of conv/1x1_kxk.scale is not finite"), std::string::npos)
        << message;
    // A GPU updates the two layers together.
    EXPECT_EQ(read("first", "weight") == first, clipped || run.device->is_cuda());
    EXPECT_EQ(read("conv", "kxk.weight"), kxk);
    EXPECT_EQ(read("ip", "weight"), ip);
    EXPECT_EQ(run->iteration(), 0);
    if (clipped) continue;
    EXPECT_TRUE(run.listener.snapshots.empty());
    EXPECT_NE(error_of([&] { run->snapshot(); }).find("in the middle of its update"),
              std::string::npos);
    EXPECT_THROW(run->step(), Error);
  }
}

// Squares of 1e25 are no floats; the clipped step would have been 0.
TEST(Solver, ClipsGradientsWhoseSquaresNoFloatHolds) {
  std::string net = net_text(4);
  net.replace(net.find("top: \"loss\""), 11, "top: \"loss\" loss_weight: 1e25 ");
  Training run(net + "base_lr: 1 max_iter: 1 clip_gradients: 0.5", fed());
  const std::vector<float> start = weights(run);
  run->step();
  // 1e-4: a step is the difference of two rounded weights, some thousand times as large.
  EXPECT_NEAR(norm_of_difference(weights(run), start), 0.5, 0.5e-4);
}

TEST(Solver, ReportsTheMeanOfTheLastLosses) {
  Training steps(net_text(4) + kSgd, fed()),
      run(net_text(4) + kSgd + "average_loss: 3 snapshot_prefix: '" + test_folder() + "run'",
          fed());
  std::vector<double> losses;
  for (int i = 0; i < 6; ++i) losses.push_back(steps->step());
  EXPECT_TRUE(run->solve());
  ASSERT_EQ(run.listener.reports.size(), 6u);
  for (int i = 0; i < 6; ++i) {
    const Observer::Progress& progress = run.listener.reports[i];
    const int first = std::max(0, i - 2);
    double mean = 0;
    for (int k = first; k <= i; ++k) mean += losses[k] / (i - first + 1);
    EXPECT_NEAR(progress.loss, mean, 1e-12);
    EXPECT_EQ(progress.iteration, i + 1);
    EXPECT_EQ(progress.last_iteration, 6);
    EXPECT_EQ(progress.images, 4 * (i + 1));
    EXPECT_NEAR(progress.rate, 0.05, 1e-7);
  }
}

TEST(Solver, SnapshotsAndStopsWhenAsked) {
  const std::string prefix = test_folder() + "run";
  Listener listener;
  listener.asks = {{2, Request::kSnapshot}, {4, Request::kStop}};
  Training run(net_text(4) + kSgd + "snapshot_prefix: '" + prefix + "'", fed(), listener);
  EXPECT_FALSE(run->solve());
  EXPECT_EQ(run->iteration(), 4);
  EXPECT_EQ(run.listener.snapshots, (std::vector<std::string>{prefix + "_iter_2.solverstate",
                                                              prefix + "_iter_4.solverstate"}));
}

TEST(Solver, StopsInTheMiddleOfATest) {
  const std::string prefix = test_folder() + "run";
  Listener listener;
  listener.asks = {{0, Request::kStop}};
  Training run(
      net_text(4) + kSgd + "test_interval: 3 test_iter: 5 snapshot_prefix: '" + prefix + "'", fed(),
      listener);
  EXPECT_FALSE(run->solve());
  EXPECT_TRUE(run.listener.tests.empty());
  EXPECT_EQ(run.listener.snapshots, (std::vector<std::string>{prefix + "_iter_0.solverstate"}));
}

// Asks for a stop when it is asked for the n-th time.
class Interrupter : public Listener {
 public:
  explicit Interrupter(int n) : n_(n) {}
  Request request() override { return --n_ == 0 ? Request::kStop : Request::kNone; }

 private:
  int n_;
};

// Of four passes an iteration some are lost, and nothing of them is in the snapshot: not even in
// the running statistics.
TEST(Solver, StopsBetweenThePassesOfAnIteration) {
  const std::string prefix = test_folder() + "run";
  std::string net = net_text(4);
  net.insert(net.find("    layer { name: \"ip\""),
             "    layer { name: \"bn\" type: \"BatchNorm\" bottom: \"conv\" top: \"conv\" }\n");
  const std::string solver = net + kSgd + "iter_size: 4 snapshot_prefix: '" + prefix + "' ";
  Training whole(solver, fed());
  for (int i = 0; i < 6; ++i) whole->step();

  SolverOptions options = fed();
  int64_t passes = 0;
  options.feed = [&](Net& net, int64_t pass) {
    passes = pass + 1;
    feed(net, pass);
  };
  const SolverSpec spec = SolverSpec::parse(solver, "solver.prototxt");
  const std::unique_ptr<Device> device = test_device({Algorithm::kDirect});
  Interrupter interrupter(4 * 2 + 3);  // two iterations, before the third, between its passes
  Solver stopped(spec, *device, options, interrupter);
  EXPECT_FALSE(stopped.solve());
  EXPECT_EQ(passes, 4 * 2 + 2);
  EXPECT_EQ(interrupter.snapshots, (std::vector<std::string>{prefix + "_iter_2.solverstate"}));

  options.feed = feed;
  options.snapshot = "auto";
  Training resumed(solver, options);
  EXPECT_TRUE(resumed->solve());
  EXPECT_EQ(resumed.state(), whole.state());
}

// A run some of whose snapshots cannot be written: folders have taken their names.
class FailingSnapshots : public testing::Test {
 protected:
  std::string solver(int iterations, int interval, const std::string& prefix) const {
    return text(net_text(4), "base_lr: 0.01 max_iter: ", iterations, " snapshot: ", interval,
                " snapshot_prefix: '", prefix, "' ");
  }
  void block(int iteration) const {
    std::filesystem::create_directories(text(prefix_, "_iter_", iteration, ".solverstate/inside"));
  }

  const std::string folder_ = test_folder(), prefix_ = folder_ + "run";
};

// After 10 iterations, then after 20 more.
TEST_F(FailingSnapshots, AreTriedAgain) {
  block(50);
  block(60);
  Training run(solver(81, 50, prefix_), fed());
  EXPECT_TRUE(run->solve());
  const std::string& notes = run.listener.notes;
  for (const char* part : {"run_iter_50.solverstate: cannot be written: it is a folder",
                           "tries again after iteration 60", "tries again after iteration 80"})
    EXPECT_NE(notes.find(part), std::string::npos) << notes;
  EXPECT_EQ(run.listener.snapshots, (std::vector<std::string>{prefix_ + "_iter_80.solverstate",
                                                              prefix_ + "_iter_81.solverstate"}));
}

TEST_F(FailingSnapshots, EndTheRunWhereItIsTheLast) {
  block(4);
  Training run(solver(4, 2, prefix_), fed());
  const std::string message = error_of([&] { run->solve(); });
  EXPECT_NE(message.find("no snapshot could be written: " + prefix_ + "_iter_4.solverstate"),
            std::string::npos)
      << message;
  EXPECT_EQ(run.listener.snapshots, (std::vector<std::string>{prefix_ + "_iter_2.solverstate"}));
  // The weights of a state that could not be written are not there either.
  EXPECT_FALSE(std::filesystem::exists(prefix_ + "_iter_4.caffemodel"));
}

TEST_F(FailingSnapshots, GoToTheFallback) {
  block(4);
  const std::string fallback = folder_ + "second/folder",
                    settings = solver(4, 2, prefix_) + "snapshot_fallback: '" + fallback + "'";
  Training run(settings, fed());
  EXPECT_TRUE(run->solve());
  EXPECT_EQ(run.listener.snapshots.back(), fallback + "/run_iter_4.solverstate");
  EXPECT_NE(run.listener.notes.find("snapshot_fallback is used"), std::string::npos);
  SolverOptions options = fed();
  options.snapshot = "auto";
  EXPECT_EQ(Training(settings, options)->iteration(), 4);
}

TEST_F(FailingSnapshots, AreFoundOutBeforeTheFirstIteration) {
  for (const std::string& settings :
       {solver(4, 2, "/proc/run"), solver(4, 2, prefix_) + "snapshot_fallback: '/proc'"}) {
    Training run(settings, fed());
    const std::string message = error_of([&] { run->solve(); });
    EXPECT_NE(message.find("/proc/run.lock: cannot be written"), std::string::npos) << message;
    EXPECT_TRUE(run.listener.reports.empty());
  }
}

TEST(Solver, TwoRunsDoNotShareAPrefix) {
  const std::string prefix = test_folder() + "run",
                    settings = net_text(4) + kSgd + "snapshot_prefix: '" + prefix + "'";
  Training first(settings, fed()), second(settings, fed());
  {
    const LockFile lock(prefix + ".lock", "");
    const std::string message = error_of([&] { second->solve(); });
    EXPECT_NE(message.find(prefix + ".lock: another training"), std::string::npos) << message;
    EXPECT_EQ(second->iteration(), 0);
  }
  EXPECT_TRUE(first->solve());
  EXPECT_FALSE(std::filesystem::exists(prefix + ".lock"));
}

// A test that fails at the end costs no result.
TEST(Solver, SnapshotsBeforeItTests) {
  const std::string prefix = test_folder() + "run";
  class Failing : public Listener {
    void tested(int64_t iteration, int, const Evaluation&) override {
      if (iteration > 0) fail("the test fails");
    }
  } failing;
  const SolverSpec spec = SolverSpec::parse(
      net_text(4) + "base_lr: 0.01 max_iter: 2 test_interval: 2 snapshot_prefix: '" + prefix + "'",
      "solver.prototxt");
  const std::unique_ptr<Device> device = test_device();
  Solver run(spec, *device, fed(), failing);
  EXPECT_EQ(error_of([&] { run.solve(); }), "the test fails");
  EXPECT_EQ(failing.snapshots, (std::vector<std::string>{prefix + "_iter_2.solverstate"}));
}

// Ten images in batches of 4, each with the label of its number modulo `classes`.
std::string data_net(const std::string& folder, int classes, const std::string& more = "") {
  std::string labels;
  for (int n = 0; n < 10; ++n) labels += static_cast<char>(n % classes);
  write_file(folder + "a-images-idx3-ubyte", idx({10, 4, 4}, std::string(160, 'x')));
  write_file(folder + "a-labels-idx1-ubyte", idx({10}, labels));
  return text(R"({
    layer { name: "data" type: "Data" top: "x" top: "label" transform_param { scale: 0.01 }
            data_param { source: ")",
              folder, R"(a-images-idx3-ubyte" backend: IDX batch_size: 4 } }
    layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip"
            inner_product_param { num_output: 2 } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
    )",
              more, " } ");
}

TEST(Solver, ShowsTheBatchesOfItsTests) {
  const std::string accuracy =
      "layer { name: 'accuracy' type: 'Accuracy' bottom: 'ip' bottom: 'label' top: 'accuracy' "
      "include { phase: TEST } }";
  const std::string folder = test_folder();
  const std::string test = " base_lr: 0.1 max_iter: 1 test_interval: 1 test_initialization: false ";
  std::vector<float> labels;
  SolverOptions options;
  options.observe = [&](int test_net, Net& net, const TestBlobs& blobs, int64_t first_sample) {
    EXPECT_EQ(test_net, 0);
    EXPECT_EQ(first_sample, static_cast<int64_t>(labels.size()));
    for (const float label : net.read(blobs.labels)) labels.push_back(label);
    EXPECT_EQ(net.read(blobs.scores).size(), 2u * net.shape(blobs.labels)[0]);
  };
  Training run(
      "net_param " + data_net(folder, 2, accuracy) + test + "snapshot_prefix: '" + folder + "run'",
      options);
  run->solve();
  EXPECT_EQ(labels, (std::vector<float>{0, 1, 0, 1, 0, 1, 0, 1, 0, 1}));

  // Without Accuracy there is nothing to show.
  Training none("net_param " + data_net(folder, 2) + test + "snapshot_prefix: '" + folder + "none'",
                options);
  none->solve();
  EXPECT_EQ(labels.size(), 10u);
}

// Three iterations make an epoch.
TEST(Solver, CountsInEpochs) {
  const std::string folder = test_folder();
  const std::string net = "net_param" + data_net(folder, 2);
  Training run(net + text("base_lr: 0.1 max_epoch: 2 test_interval_epoch: 1 snapshot_epoch: 1 "
                          "snapshot_prefix: '",
                          folder, "run'"));
  EXPECT_EQ(run->last_iteration(), 6);
  EXPECT_TRUE(run->solve());
  std::vector<int64_t> tested;
  for (const auto& [iteration, evaluation] : run.listener.tests) {
    tested.push_back(iteration);
    EXPECT_EQ(evaluation.samples, 10);
  }
  EXPECT_EQ(tested, (std::vector<int64_t>{0, 3, 6}));
  EXPECT_EQ(run.listener.snapshots, (std::vector<std::string>{folder + "run_iter_3.solverstate",
                                                              folder + "run_iter_6.solverstate"}));
  EXPECT_EQ(run.listener.reports[2].epoch, 1);
  // Two passes an iteration: 10 / 8, rounded up, iterations an epoch.
  EXPECT_EQ(Training(net + "base_lr: 0.1 max_epoch: 1.5 iter_size: 2")->last_iteration(), 3);
}

// Caffe's order: test_net_param, test_net, and the training net for each test_iter that is left.
TEST(Solver, TestsEveryTestNet) {
  const std::string folder = test_folder();
  const std::string staged = R"(layer { name: "extra" type: "Softmax" bottom: "ip" top: "extra"
                                        include { stage: "extra" } } )";
  const std::string net = data_net(folder, 2, staged);
  write_file(folder + "net.prototxt", net.substr(1, net.rfind('}') - 1));
  const std::string solver = text("net: '", folder, "net.prototxt' test_net_param ", net,
                                  "test_net: '", folder, "net.prototxt' ",
                                  "base_lr: 0.1 max_iter: 1 test_interval: 1 "
                                  "snapshot_after_train: false ");
  Training run(solver +
               "test_iter: 1 test_iter: 2 test_iter: 3 test_state {} "
               "test_state { stage: 'extra' } test_state {}");
  EXPECT_EQ(run->test_nets(), 3);
  run->solve();
  EXPECT_EQ(run.listener.tested_nets, (std::vector<int>{0, 1, 2, 0, 1, 2}));
  for (int net = 0; net < 3; ++net) {
    const Evaluation& evaluation = run.listener.tests[net].second;
    EXPECT_EQ(evaluation.samples, 4 * (net + 1));
    EXPECT_EQ(evaluation.outputs.size(), net == 1 ? 2u : 1u);
  }
  // Without test_iter each walks over its whole set, and no other net is added.
  Training whole(solver);
  EXPECT_EQ(whole->test_nets(), 2);
  EXPECT_EQ(whole->test(1).samples, 10);
  EXPECT_NE(
      error_of([&] { Training run(solver + "test_iter: 1"); }).find("1 times for 2 test nets"),
      std::string::npos);
  EXPECT_NE(error_of([&] { Training run(solver + "test_state {}"); }).find("test_state is given 1"),
            std::string::npos);
}

TEST(Solver, TrainsInTheStateThatTheFileAsksFor) {
  const std::string folder = test_folder();
  const std::string only = "include { stage: 'wide' min_level: 2 } ";
  const std::string net = data_net(folder, 2,
                                   "layer { name: 'more' type: 'ReLU' bottom: 'ip' top: 'more' " +
                                       only + "} state { stage: 'wide' level: 1 }");
  const std::string solver = " base_lr: 0.1 max_iter: 1 ";
  EXPECT_EQ(Training("net_param" + net + solver)->net().outputs().size(), 1u);
  EXPECT_EQ(
      Training("net_param" + net + solver + "train_state { level: 2 }")->net().outputs().size(),
      2u);
}

// The test set has labels that the training set's net has no class for.
TEST(Solver, ATestWithABadLabelStopsAndNamesTheSample) {
  const std::string folder = test_folder();
  // Behind another layer, labels are no longer known to be those of the data.
  const auto bad_net = [](const std::string& folder) {
    std::string net = data_net(folder, 3);
    const std::string loss = "layer { name: \"loss\"";
    return net.insert(net.find(loss),
                      "layer { name: 'through' type: 'Concat' bottom: 'label' top: 'label' "
                      "concat_param { axis: 0 } } ");
  };
  const std::string message = error_of([&] {
    Training run("net_param" + bad_net(folder) +
                 "base_lr: 0.1 max_iter: 1 test_interval: 1 snapshot_after_train: false");
    run->solve();
  });
  EXPECT_NE(
      message.find("sample 2 of the data, counted from 0: its label 2 is no class; there are 2"),
      std::string::npos)
      << message;
  // What was trained before is kept.
  std::filesystem::create_directories(folder + "bad");
  Training later(text("net_param", data_net(folder, 2), "test_net_param", bad_net(folder + "bad/"),
                      "base_lr: 0.1 max_iter: 5 test_interval: 2 test_initialization: false ",
                      "snapshot_prefix: '", folder, "run'"));
  EXPECT_NE(error_of([&] { later->solve(); }), "");
  EXPECT_EQ(later.listener.snapshots,
            (std::vector<std::string>{folder + "run_iter_2.solverstate"}));
  // In training the samples are shuffled; the one that is named has that label.
  const std::string in_training = error_of([&] {
    Training run("net_param" + bad_net(folder + "bad/") + "base_lr: 0.1 max_iter: 5");
    run->solve();
  });
  const size_t at = in_training.find("sample ");
  ASSERT_NE(at, std::string::npos) << in_training;
  EXPECT_EQ(std::stoi(in_training.substr(at + 7)) % 3, 2) << in_training;
}

TEST(Solver, AnExplicitZeroTrainsNothing) {
  const std::string prefix = test_folder() + "run";
  Training run(net_text(4) + "base_lr: 0.1 max_iter: 0 snapshot_prefix: '" + prefix + "'", fed());
  EXPECT_TRUE(run->solve());
  EXPECT_EQ(run.listener.snapshots, (std::vector<std::string>{prefix + "_iter_0.solverstate"}));
}

TEST(Solver, LengthsThatNoStateCanCountAreRefused) {
  const std::string folder = test_folder();
  for (const char* field :
       {"max_epoch: 1e300", "max_epoch: 1e9", "max_epoch: 1 snapshot_epoch: 1e300",
        "max_epoch: 1 test_interval_epoch: 1e300"}) {
    const std::string message = error_of(
        [&] { Training run("net_param" + data_net(folder, 2) + "base_lr: 0.1\n" + field); });
    EXPECT_NE(message.find("2147483647 at most"), std::string::npos) << field << "\n" << message;
  }
}

struct BadValue {
  const char *solver, *where, *says;
};

TEST(Solver, SaysWhatIsWrongAndWhere) {
  const std::string net = net_text(4);
  const auto line = std::count(net.begin(), net.end(), '\n') + 1;
  for (const BadValue& bad : std::vector<BadValue>{
           {"base_lr: 1", "", "max_iter"},
           {"max_iter: 1", "", "base_lr"},
           {"base_lr: 1 max_iter: -1", ":12", "max_iter"},
           {"base_lr: -1 max_iter: 1", ":1", "base_lr"},
           {"base_lr: 1 max_iter: 1 type: 'Nestrov'", ":24", "\"Nesterov\""},
           {"base_lr: 1 max_iter: 1 lr_policy: 'cosinus'", ":24", "\"cosine\""},
           {"base_lr: 1 max_iter: 1 iter_size: 0", ":24", "iter_size"},
           {"base_lr: 1 max_iter: 1 momentum: 1", ":24", "momentum"},
           {"base_lr: 1 max_iter: 1 weight_decay: -1", ":24", "weight_decay"},
           {"base_lr: 1 max_iter: 1 average_loss: 0", ":24", "average_loss"},
           {"base_lr: 1 max_iter: 1 test_interval: -2", ":24", "test_interval"},
           {"base_lr: 1 max_iter: 1 snapshot: -2", ":24", "snapshot"},
           {"base_lr: 1 max_iter: 1 regularization_type: 'L3'", ":24", "L2"},
           {"base_lr: 1 max_epoch: 1", ":12", "max_iter"},
           {"base_lr: 1 max_iter: 1 max_epoch: 1", ":24", "not both"},
           {"base_lr: nan max_iter: 1", ":1", "base_lr is nan"},
           {"base_lr: 1 max_iter: 1 momentum: nan", ":24", "momentum is nan"},
           {"base_lr: 1 max_iter: 1 momentum: inf", ":24", "momentum is inf"},
           {"base_lr: 1 max_iter: 1 weight_decay: inf", ":24", "weight_decay is inf"},
           {"base_lr: 1 max_iter: 1 clip_gradients: nan", ":24", "clip_gradients is nan"},
           {"base_lr: 1 max_iter: 1 clip_gradients: 0", ":24", "clip_gradients"},
           {"base_lr: 1 max_iter: 1 power: -inf", ":24", "power is -inf"},
           {"base_lr: 1 max_iter: 1 min_lr: -1", ":24", "min_lr"},
           {"base_lr: 1 max_iter: 1 display: -1", ":24", "display"},
           {"base_lr: 1 max_iter: 1 snapshot_diff: true", ":24", "snapshot_diff"},
           {"base_lr: 1 max_iter: 1 type: 'SGD' solver_type: SGD", ":36", "either type or solver_"},
           {"base_lr: 1 max_iter: 1 test_interval: 1 test_iter: -5", ":41",
            "test_iter must be pos"},
           {"base_lr: 1 max_iter: 1 test_iter: 5", ":24", "needs test_interval"},
           {"base_lr: 1 max_iter: 1 test_net: 'a'", ":24", "needs test_interval"},
           {"base_lr: 1 max_iter: 1 train_state { phase: TEST }", ":38", "TRAIN, not TEST"},
           {"base_lr: 1 max_iter: 1 snapshot_prefix: 'a/b' snapshot_fallback: 'c/../a'", ":47",
            "another disk"},
           {"base_lr: 1 max_iter: 1 param_rule { name: '(' }", ":37", "regular expression"}}) {
    const std::string message = error_of(
        [&] { Training run(SolverSpec::parse(net + bad.solver, "solver.prototxt"), fed()); });
    const std::string where =
        *bad.where == '\0' ? "" : text("solver.prototxt:", line, bad.where, ":");
    EXPECT_EQ(message.rfind(where, 0), 0u) << bad.solver << "\n" << message;
    EXPECT_NE(message.find(bad.says), std::string::npos) << bad.solver << "\n" << message;
  }
}

}  // namespace
}  // namespace orepa
