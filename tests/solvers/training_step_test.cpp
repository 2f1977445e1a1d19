// Training where the device answers late: the host reads a step while the next one runs.
#include "solvers/training_step.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/late_device.h"
#include "tests/tools/zoo/narrow.h"
#include "tests/training.h"

namespace orepa {
namespace {

const char* const kNet = R"(net_param {
    layer { name: "in" type: "Input" top: "x" top: "label"
            input_param { shape { dim: 4 dim: 3 dim: 6 dim: 6 } shape { dim: 4 } } }
    layer { name: "conv" type: "ORepaConv" bottom: "x" top: "conv"
            convolution_param { num_output: 4 kernel_size: 3 pad: 1 }
            orepa_param { preset: OREPA } }
    layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
    layer { name: "ip" type: "InnerProduct" bottom: "conv" top: "ip"
            inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } }
  base_lr: 0.05 momentum: 0.9 max_iter: 6 snapshot_after_train: false )";

// Every test has a lock of its own.
std::string solver(const std::string& more = "") {
  return text(kNet, "snapshot_prefix: '", test_folder(), "run' ", more);
}

// A function of the pass; that of pass `broken` makes the loss no number.
SolverOptions fed(int64_t broken = -1) {
  SolverOptions options;
  options.feed = [broken](Net& net, int64_t pass) {
    feed_noise(net, pass);
    if (pass == broken)
      net.set("x", std::vector<float>(static_cast<size_t>(net.shape("x").count()),
                                      std::numeric_limits<float>::infinity()));
  };
  return options;
}

std::unique_ptr<Device> late_device() {
  return make_late_device(make_device("cpu", {Algorithm::kDirect}));
}

// Counts what is told while more is already issued.
class LateListener : public Listener {
 public:
  void progress(const Progress& progress) override {
    Listener::progress(progress);
    issued.push_back(solver->iteration());
  }
  std::vector<int64_t> issued;  // when an iteration was told
};

// A run on the late device, and its listener.
struct LateRun {
  explicit LateRun(const std::string& text, SolverOptions options = fed()) {
    solver = std::make_unique<Solver>(SolverSpec::parse(text, "solver.prototxt"), *device,
                                      std::move(options), listener);
    listener.solver = solver.get();
  }
  std::unique_ptr<Device> device = late_device();
  LateListener listener;
  std::unique_ptr<Solver> solver;
};

std::vector<float> learned(Solver& solver) {
  std::vector<float> all;
  for (const auto& parameter : solver.parameters().all())
    if (parameter->kind == Parameter::Kind::kLearned)
      for (const float value : solver.parameters().read(*parameter)) all.push_back(value);
  return all;
}

TEST(TrainingStep, IsReadWhileTheNextOneRuns) {
  if (test_device()->is_cuda()) GTEST_SKIP() << "two runs on the CPU have the same bits";
  for (const char* more : {"", "clip_gradients: 0.1 ", "iter_size: 3 ", "ema_decay: 0.9 "}) {
    Training direct(solver(more), fed());
    EXPECT_TRUE(direct->solve());
    LateRun late(solver(more));
    const int64_t before = late.device->counts().waits;
    EXPECT_TRUE(late.solver->solve());
    const int64_t waits = late.device->counts().waits - before;
    EXPECT_EQ(learned(*late.solver), learned(*direct.solver)) << more;
    EXPECT_EQ(late.listener.issued, (std::vector<int64_t>{2, 3, 4, 5, 6, 6})) << more;
    for (size_t i = 0; i < 6; ++i)
      EXPECT_EQ(late.listener.reports[i].loss, direct.listener.reports[i].loss) << more << i;
    // Three passes fill their inputs faster than a device that finishes nothing by itself.
    if (std::string(more).find("iter_size") == std::string::npos) {
      EXPECT_EQ(waits, 6) << more;
    }
  }
}

TEST(TrainingStep, ThatIsNotFiniteStopsThoseIssuedBehindIt) {
  if (test_device()->is_cuda()) GTEST_SKIP() << "two runs on the CPU have the same bits";
  Training sound(solver(), fed());
  LateRun late(solver(), fed(3));
  const std::string message = error_of([&] { late.solver->solve(); });
  EXPECT_NE(message.find("iteration 3: the loss is "), std::string::npos) << message;
  EXPECT_NE(message.find("output \"x\""), std::string::npos) << message;
  EXPECT_EQ(late.solver->iteration(), 3);
  EXPECT_EQ(late.listener.reports.size(), 3u);
  for (int i = 0; i < 3; ++i) sound->step();
  EXPECT_EQ(learned(*late.solver), learned(*sound.solver));
  EXPECT_NE(error_of([&] { late.solver->step(); }).find("iteration 3 failed"), std::string::npos);
  EXPECT_NE(error_of([&] { late.solver->snapshot(); }).find("iteration 3 failed"),
            std::string::npos);
}

// No layer of any network waits.
TEST(TrainingStep, OfEveryZooNetWaitsForItsTotalsAlone) {
  for (const zoo::Model& model : zoo::narrow_models())
    for (const std::string& style : model.styles) {
      SCOPED_TRACE(model.name + "/" + style);
      const std::unique_ptr<Device> device = late_device();
      const SolverSettings settings(SolverSpec::parse("base_lr: 0.01 momentum: 0.9", "solver"));
      Parameters parameters(*device, 1, true);
      Arena arena(*device);
      NetOptions options;
      options.phase = Phase::kTrain;
      Net net(zoo::train_val(model, style, {1, 64, 10}), parameters, arena, options);
      TrainingStep step(settings, net, parameters, {});
      const Device::Counts before = device->counts();
      for (int64_t i = 0; i < 2; ++i) step.run(i, 0.01, [] { return false; });
      EXPECT_EQ(device->counts().waits, before.waits);
      while (step.result(true)) continue;
      EXPECT_EQ(device->counts().waits, before.waits + 2);
    }
}

}  // namespace
}  // namespace orepa
