// Whole passes against values that BVLC Caffe itself wrote (tests/golden/caffe; the format is
// described in its README): outputs in both phases, gradients of inputs and parameters, running
// statistics, through the net.
#include "tests/golden_caffe.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "orepa/net.h"
#include "orepa/weights.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

constexpr float kCaffesFraction = 0.999f;  // the default of moving_average_fraction

std::vector<std::string> cases() {
  std::vector<std::string> all = golden_cases("layer"), nets = golden_cases("net");
  all.insert(all.end(), nets.begin(), nets.end());
  return all;
}

class GoldenCaffe : public testing::TestWithParam<std::string> {
 protected:
  // A fresh net with the case's weights and inputs.
  struct Run {
    Run(const GoldenCaffe& test, Phase phase)
        : parameters(*test.device_, 1, phase == Phase::kTrain), arena(*test.device_) {
      NetOptions options;
      options.phase = phase;
      options.input_gradients = options.seed_outputs = phase == Phase::kTrain;
      net = std::make_unique<Net>(test.spec_, parameters, arena, options);
      if (!parameters.all().empty()) load_weights({test.file_.path()}, parameters, true);
      for (const Net::Blob& input : net->inputs())
        net->set(input.name, test.file_.read("/in/" + input.name));
      net->prepare();
      net->forward(0);
    }
    Parameters parameters;
    Arena arena;
    std::unique_ptr<Net> net;
  };

  void expect_equal(const std::vector<float>& got, const std::string& name) {
    expect_golden(got, file_, name);
    ++compared_;
  }

  // Caffe keeps sums, to be divided by the factor; here means are kept. Sums stored with a factor
  // of 0 stand for no batch yet: they are dropped here, while Caffe goes on to add to them.
  void expect_running_statistics(const Parameters& parameters) {
    for (const auto& parameter : parameters.all()) {
      const std::string key = text(parameter->layer, "/", parameter->index);
      const std::string factor = text("/data/", parameter->layer, "/2");
      const float n = parameters.read(*parameters.find(parameter->layer, "factor"))[0];
      std::vector<float> sums = parameters.read(*parameter);
      const std::vector<float> before = file_.read("/data/" + key);
      const bool dropped = parameter->name != "factor" && file_.read(factor)[0] == 0;
      for (size_t c = 0; c < sums.size(); ++c) {
        if (parameter->name != "factor") sums[c] *= n;
        if (dropped) sums[c] += kCaffesFraction * before[c];
      }
      expect_equal(sums, "/data_after/" + key);
    }
  }

  void expect_outputs(const Net& net, const std::string& group) {
    for (const std::string& name : file_.names(group))
      expect_equal(net.read(name.substr(group.size() + 1)), name);
  }

  std::unique_ptr<Device> device_ = test_device();
  NetSpec spec_ = NetSpec::parse(golden_net(GetParam()), GetParam());
  TensorFileReader file_{kGoldenCaffe + GetParam() + "/data.h5"};
  size_t compared_ = 0;  // arrays
};

TEST_P(GoldenCaffe, InTest) {
  const Run run(*this, Phase::kTest);
  expect_outputs(*run.net, "/out");
  EXPECT_GT(compared_, 0);
}

TEST_P(GoldenCaffe, InTraining) {
  if (!file_.has("/out_train")) return;  // Accuracy alone: nothing to train
  Run run(*this, Phase::kTrain);
  Net& net = *run.net;
  expect_outputs(net, "/out_train");
  if (file_.has("/loss")) expect_equal({static_cast<float>(net.loss())}, "/loss");
  if (file_.has("/data_after")) expect_running_statistics(run.parameters);

  for (const std::string& name : file_.names("/grad_top"))
    net.seed_gradient(name.substr(std::string("/grad_top/").size()), file_.read(name));
  run.parameters.begin_step();
  net.backward();
  for (const std::string& name : file_.names("/grad_in"))
    expect_equal(net.read_gradient(name.substr(std::string("/grad_in/").size())), name);
  net.finish([&](const std::vector<Parameter*>& learned) {
    // Caffe tells the gradient of a shared one for each of its layers.
    for (const Parameters::Place& place : run.parameters.places())
      if (std::find(learned.begin(), learned.end(), place.parameter) != learned.end())
        expect_equal(read_tensor(*device_, place.parameter->gradient),
                     text("/grad_param/", place.layer, "/", place.index));
  });
  size_t all = file_.has("/loss");
  for (const char* group : {"/out_train", "/data_after", "/grad_in", "/grad_param"})
    all += file_.names(group).size();
  EXPECT_EQ(compared_, all);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenCaffe, testing::ValuesIn(cases()), [](const auto& info) {
  return info.param.substr(info.param.find('/') + 1);
});

TEST(GoldenCaffeCases, AreAllThere) { EXPECT_EQ(cases().size(), 77u); }

}  // namespace
}  // namespace orepa
