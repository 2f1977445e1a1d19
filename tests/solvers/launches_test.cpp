// How many launches a device with kernels needs for what a step does besides its passes.
#include <gtest/gtest.h>

#include <functional>
#include <iostream>

#include "solvers/training_step.h"
#include "tests/forwarding_device.h"
#include "tests/test_device.h"
#include "tools/zoo/models.h"

namespace orepa {
namespace {

// Launches of a step of ResNet-50 with its 53 ORepaConv, an eighth as wide, without those of its
// passes: composition of the kernels, gradients of the branches, sums of squares, updates.
int64_t launches_beside_passes(Device& device, const std::function<int64_t()>& launches) {
  const zoo::Model model{"resnet50", "", zoo::ResNet{{3, 4, 6, 3}, true, 0.125}, {"orepa"}};
  const SolverSettings settings(SolverSpec::parse("base_lr: 0.01 momentum: 0.9", "solver"));
  Parameters parameters(device, 1, true);
  Arena arena(device);
  NetOptions options;
  options.phase = Phase::kTrain;
  Net net(zoo::train_val(model, "orepa", {2, 64, 10}), parameters, arena, options);
  TrainingStep step(settings, net, parameters, {});
  const int64_t before = launches();
  step.run(0, 0.01, [] { return false; });
  const int64_t whole = launches() - before;
  net.prepare();
  const int64_t prepared = launches();
  net.forward(1);
  net.backward();
  return whole - (launches() - prepared);
}

TEST(Launches, OfManyLayersAreFew) {
  std::unique_ptr<Device> device = test_device();
  if (!device->is_cuda()) GTEST_SKIP() << "launches cost nothing on this device";
  Device& merging = *device;
  const int64_t few = launches_beside_passes(merging, [&] { return merging.counts().launches; });
  EXPECT_LE(few, 400);
  // It does not hand on what is independent.
  ForwardingDevice issuing(std::move(device));
  const int64_t many = launches_beside_passes(
      issuing, [&] { return issuing.counts().launches + merging.counts().launches; });
  EXPECT_GT(many, 5 * few);
  std::cout << few << " launches, one by one " << many << "\n";
}

}  // namespace
}  // namespace orepa
