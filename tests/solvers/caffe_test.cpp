// Trajectories of 12 iterations that BVLC Caffe itself computed; tests/golden/caffe/solver.
#include "tests/golden_caffe.h"
#include "tests/training.h"

namespace orepa {
namespace {

class CaffeSolver : public testing::TestWithParam<std::string> {
 protected:
  CaffeSolver() : golden_(folder() + "data.h5") {}

  static std::string folder() { return kGoldenCaffe + "solver/" + GetParam() + "/"; }

  void expect_close(const std::vector<float>& got, const std::string& name) const {
    expect_golden(got, golden_, name, kGoldenTolerance, after_tie_ ? kGoldenTieNoise : 0);
  }
  void expect_parameters(const Parameters& parameters, const std::string& group) const {
    for (const auto& parameter : parameters.all())
      expect_close(parameters.read(*parameter), blob(group, *parameter));
  }
  static std::string blob(const std::string& group, const Parameter& parameter) {
    return "/" + group + "/" + parameter.layer + "/" + std::to_string(parameter.index);
  }
  void set_inputs(Net& net, int64_t pass) const {
    for (const Net::Blob& input : net.inputs()) {
      const std::vector<float> stack = golden_.read("/in/" + input.name);
      const int64_t count = input.shape.count(), slices = golden_.shape("/in/" + input.name)[0];
      const auto first = stack.begin() + pass % slices * count;
      net.set(input.name, {first, first + count});
    }
  }

  TensorFileReader golden_;
  bool after_tie_ = false;
};

TEST_P(CaffeSolver, GivesItsTrajectory) {
  SolverOptions options;
  options.feed = [this](Net& net, int64_t pass) { set_inputs(net, pass); };
  Training run(SolverSpec::read(folder() + "solver.prototxt"), options);
  Parameters& parameters = run->parameters();
  for (const auto& parameter : parameters.all())
    parameters.write(*parameter, golden_.read(blob("data", *parameter)));

  const std::vector<float> losses = golden_.read("/loss");
  const int64_t iterations = run->last_iteration();
  ASSERT_EQ(iterations, static_cast<int64_t>(losses.size()));
  std::vector<float> rates, own_losses;
  for (int64_t i = 0; i < iterations; ++i) rates.push_back(static_cast<float>(run->rate(i)));
  expect_close(rates, "/lr");
  for (int64_t i = 0; i < iterations; ++i) {
    own_losses.push_back(static_cast<float>(run->step()));
    if (i == 0) expect_parameters(parameters, "after1");
  }
  after_tie_ = GetParam() == "sgd_momentum_l2" && iterations > kGoldenTie;
  expect_close(own_losses, "/loss");
  expect_parameters(parameters, "final");
  int index = 0;
  for (int block = 0; block < run->histories(); ++block)
    for (const auto& parameter : parameters.all())
      expect_close(run->history(*parameter, block), "/history/" + std::to_string(index++));
  EXPECT_EQ(golden_.names("/history").size(), static_cast<size_t>(index));

  Arena arena(*run.device);
  NetOptions test;
  Net net(run.spec.net(), parameters, arena, test);
  set_inputs(net, 0);
  net.prepare();
  net.forward(0);
  for (const Net::Blob& output : net.outputs())
    expect_close(net.read(output.name), "/test_out/" + output.name);
}

INSTANTIATE_TEST_SUITE_P(Golden, CaffeSolver,
                         testing::Values("sgd_momentum_l2", "nesterov", "clip_gradients",
                                         "frozen_clip", "lr_exp", "lr_poly", "snap_sgd_hdf5",
                                         "adam", "iter_size3_adam", "adadelta_wd_lr",
                                         "rmsprop_default", "shared_params_adam_clip",
                                         "snap_shared_hdf5"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace orepa
