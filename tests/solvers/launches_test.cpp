// How many launches a device with kernels needs for what a step does besides its passes.
#include <gtest/gtest.h>

#include "solvers/training_step.h"
#include "tests/test_device.h"
#include "tools/zoo/models.h"

namespace orepa {
namespace {

// Of ResNet-50 with its 53 ORepaConv, an eighth as wide: composition of the kernels, gradients of
// the branches, sums of squares, updates.
TEST(Launches, OfPrepareFinishAndUpdate) {
  const std::unique_ptr<Device> device = test_device();
  if (!device->is_cuda()) GTEST_SKIP() << "launches cost nothing on this device";
  const zoo::Model model{"resnet50", "", zoo::ResNet{{3, 4, 6, 3}, true, 0.125}, {"orepa"}};
  const SolverSettings settings(SolverSpec::parse("base_lr: 0.01 momentum: 0.9", "solver"));
  Parameters parameters(*device, 1, true);
  Arena arena(*device);
  NetOptions options;
  options.phase = Phase::kTrain;
  Net net(zoo::train_val(model, "orepa", {2, 64, 10}), parameters, arena, options);
  const Momentum momentum(parameters);
  TrainingStep step(settings, "solver", net, parameters, momentum, {});
  const auto launches_of = [&](auto call) {
    const int64_t before = device->counts().launches;
    call();
    return device->counts().launches - before;
  };
  const int64_t whole = launches_of([&] { step.run(0, 0.01, [] { return false; }); });
  net.prepare();
  const int64_t passes = launches_of([&] {
    net.forward(1);
    net.backward();
  });
  RecordProperty("launches", std::to_string(whole - passes));
  EXPECT_LE(whole - passes, 400);
}

}  // namespace
}  // namespace orepa
