// Trajectories of 12 iterations that BVLC Caffe itself computed; tests/golden/caffe/solver.
#include "orepa/tensor_file.h"
#include "tests/training.h"

namespace orepa {
namespace {

const std::string kFolder = std::string(OREPA_SOURCE_DIR) + "/tests/golden/caffe/solver/";

class CaffeSolver : public testing::TestWithParam<std::string> {
 protected:
  CaffeSolver() : golden_(kFolder + GetParam() + "/data.h5") {}

  // 2e-5 of the largest magnitude, and the rounding noise of the reference itself.
  void expect_close(const std::vector<float>& got, const std::string& name) const {
    const std::vector<float> wanted = golden_.read(name);
    const double noise = golden_.number(name, "dbl_maxdiff");
    EXPECT_LE(largest_difference(got, wanted), 2e-5 * largest(wanted) + noise) << name;
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
};

TEST_P(CaffeSolver, GivesItsTrajectory) {
  SolverOptions options;
  options.feed = [this](Net& net, int64_t pass) { set_inputs(net, pass); };
  Training run(SolverSpec::read(kFolder + GetParam() + "/solver.prototxt"), options);
  Parameters& parameters = run->parameters();
  for (const auto& parameter : parameters.all())
    parameters.write(*parameter, golden_.read(blob("data", *parameter)));

  std::vector<float> losses, rates;
  for (int64_t i = 0; i < run->last_iteration(); ++i) {
    rates.push_back(static_cast<float>(run->rate(i)));
    losses.push_back(static_cast<float>(run->step()));
    if (i == 0) expect_parameters(parameters, "after1");
  }
  expect_close(rates, "/lr");
  expect_close(losses, "/loss");
  expect_parameters(parameters, "final");
  int index = 0;
  for (const auto& parameter : parameters.all())
    expect_close(run->history(*parameter), "/history/" + std::to_string(index++));

  Arena arena(*run.device);
  NetOptions test;
  test.algorithm = Algorithm::kDirect;
  Net net(run.spec.net(), parameters, arena, test);
  set_inputs(net, 0);
  net.prepare();
  net.forward(0);
  for (const Net::Blob& output : net.outputs())
    expect_close(net.read(output.name), "/test_out/" + output.name);
}

INSTANTIATE_TEST_SUITE_P(Golden, CaffeSolver,
                         testing::Values("sgd_momentum_l2", "nesterov", "clip_gradients",
                                         "frozen_clip", "lr_exp", "lr_poly", "snap_sgd_hdf5"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace orepa
