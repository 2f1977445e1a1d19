// Steps that are recorded and replayed, against the same steps issued each time.
#include <gtest/gtest.h>

#include "orepa/parallel.h"
#include "solvers/training_step.h"
#include "tests/error_of.h"
#include "tests/tools/zoo/narrow.h"
#include "tests/training.h"

namespace orepa {
namespace {

struct Double {
  float* x;
  OREPA_HD void operator()(int64_t i) const { x[i] *= 2; }
};

struct Increment {
  float* x;
  OREPA_HD void operator()(int64_t i) const { x[i] += 1; }
};

class CudaGraph : public testing::Test {
 protected:
  void SetUp() override {
    if (!device_->is_cuda()) GTEST_SKIP() << "this device has no graphs";
  }
  const std::unique_ptr<Device> device_ = test_device({Algorithm::kDirect});
};

// Random numbers, a test between steps which packs kernels first, running statistics, a batch that
// the host makes.
std::string solver(const std::string& more) {
  return R"(net_param {
    layer { name: "in" type: "Input" top: "x" top: "label"
            input_param { shape { dim: 4 dim: 3 dim: 6 dim: 6 } shape { dim: 4 } } }
    layer { name: "conv" type: "ORepaConv" bottom: "x" top: "conv"
            convolution_param { num_output: 4 kernel_size: 3 pad: 1 }
            orepa_param { preset: OREPA } }
    layer { name: "bn" type: "BatchNorm" bottom: "conv" top: "conv" }
    layer { name: "relu" type: "ReLU" bottom: "conv" top: "conv" }
    layer { name: "plain" type: "Convolution" bottom: "conv" top: "plain"
            convolution_param { num_output: 4 kernel_size: 3 weight_filler { type: "msra" } } }
    layer { name: "drop" type: "Dropout" bottom: "plain" top: "plain" }
    layer { name: "ip" type: "InnerProduct" bottom: "plain" top: "ip"
            inner_product_param { num_output: 5 weight_filler { type: "xavier" } } }
    layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" } }
  base_lr: 0.05 lr_policy: "step" gamma: 0.5 stepsize: 2 momentum: 0.9 max_iter: 7
  snapshot_after_train: false test_interval: 2 test_iter: 1 test_initialization: false )" +
         more;
}

SolverOptions fed(bool cuda_graph) {
  SolverOptions options;
  options.cuda_graph = cuda_graph;
  options.feed = feed_noise;
  return options;
}

std::vector<float> values(const Parameters& parameters) {
  std::vector<float> all;
  for (const auto& parameter : parameters.all())
    for (const float value : parameters.read(*parameter)) all.push_back(value);
  return all;
}

TEST_F(CudaGraph, OfAStepGivesTheSameBits) {
  for (const char* more :
       {"", "clip_gradients: 0.1 ", "iter_size: 3 ", "precision: BF16 ", "ema_decay: 0.9 "}) {
    SCOPED_TRACE(more);
    Training issued(solver(more), fed(false)), recorded(solver(more), fed(true));
    EXPECT_TRUE(issued->solve());
    EXPECT_TRUE(recorded->solve());
    EXPECT_EQ(values(recorded->parameters()), values(issued->parameters()));
    for (size_t i = 0; i < issued.listener.reports.size(); ++i)
      EXPECT_EQ(recorded.listener.reports[i].loss, issued.listener.reports[i].loss) << i;
    for (size_t i = 0; i < issued.listener.tests.size(); ++i)  // by the averages, where there are
      EXPECT_EQ(recorded.listener.tests[i].second.outputs[0].values,
                issued.listener.tests[i].second.outputs[0].values)
          << i;
  }
}

TEST_F(CudaGraph, OfAStepIsLaunchedInThreeParts) {
  Training training(solver(""), fed(true));
  for (int i = 0; i < 2; ++i) training->step();  // the second one is recorded
  const int64_t before = training.device->counts().launches;
  training->step();
  EXPECT_EQ(training.device->counts().launches, before + 3);
}

TEST_F(CudaGraph, OfEveryZooNetGivesTheSameBits) {
  for (const zoo::Model& model : zoo::narrow_models())
    for (const std::string& style : model.styles) {
      SCOPED_TRACE(model.name + "/" + style);
      std::vector<float> results[2];
      for (const bool cuda_graph : {false, true}) {
        SolverSettings settings(SolverSpec::parse("base_lr: 0.01 momentum: 0.9", "solver"));
        settings.cuda_graph = cuda_graph;
        Parameters parameters(*device_, 1, true);
        Arena arena(*device_);
        NetOptions options;
        options.phase = Phase::kTrain;
        Net net(zoo::train_val(model, style, {1, 32, 10}), parameters, arena, options);
        TrainingStep step(settings, net, parameters, {});
        for (int64_t i = 0; i < 4; ++i) step.run(i, 0.01, [] { return false; });
        while (step.result(true)) continue;
        results[cuda_graph] = values(parameters);
      }
      EXPECT_EQ(results[1], results[0]);
    }
}

TEST_F(CudaGraph, SaysWhereSomethingElseIsIssued) {
  const DeviceMemory memory(*device_, 4);
  device_->zero(memory.data(), 4);
  const auto x = static_cast<float*>(memory.data());
  const auto increment = [&] { parallel_for(*device_, 1, Increment{x}); };
  const auto recording = device_->record(increment);
  device_->replay(*recording, increment);
  EXPECT_EQ(read_tensor(*device_, {x, Shape{1}}), std::vector<float>{2});
  for (const int calls : {0, 2})
    EXPECT_NE(error_of([&] {
                device_->replay(*recording, [&] {
                  for (int i = 0; i < calls; ++i) increment();
                });
              }).find("is not what was recorded, 1;"),
              std::string::npos);
  EXPECT_NE(error_of([&] {
              device_->replay(*recording, [&] { parallel_for(*device_, 1, Double{x}); });
            }).find("is not what was recorded"),
            std::string::npos);
  EXPECT_EQ(read_tensor(*device_, {x, Shape{1}}), std::vector<float>{2});
}

TEST_F(CudaGraph, HoldsNoCopiesFromOrToTheHost) {
  const DeviceMemory memory(*device_, 4);
  device_->zero(memory.data(), 4);
  HostMemory host(*device_, 4);
  EXPECT_NE(error_of([&] {
              device_->record([&] { device_->send_to_host(host.data(), memory.data(), 4); });
            }).find("copies to the host"),
            std::string::npos);
  EXPECT_NE(error_of([&] {
              device_->record([&] { device_->copy_to_device(memory.data(), host.data(), 4); });
            }).find("copies from the host"),
            std::string::npos);
  const auto x = static_cast<float*>(memory.data());
  parallel_for(*device_, 1, Increment{x});
  EXPECT_EQ(read_tensor(*device_, {x, Shape{1}}), std::vector<float>{1});
}

TEST(CudaGraphs, AreOfCudaDevices) {
  if (test_device()->is_cuda()) GTEST_SKIP() << "this device has graphs";
  const std::string message = error_of([] { Training training(solver(""), fed(true)); });
  EXPECT_NE(message.find("train without --cuda_graph"), std::string::npos) << message;
}

}  // namespace
}  // namespace orepa
