// Whole passes against values that BVLC Caffe itself wrote (tests/golden/caffe; the format is
// described in its README): outputs in both phases, gradients of inputs and parameters, running
// statistics, through the net.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "core/input_file.h"
#include "orepa/net.h"
#include "orepa/tensor_file.h"
#include "orepa/weights.h"
#include "tests/comparison.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Caffe sums in float32 too, in another order; what that costs where a result is much smaller than
// its terms is stored with each array (expect_equal).
constexpr double kTolerance = 2e-5;
constexpr float kCaffesFraction = 0.999f;  // the default of moving_average_fraction
const std::string kFolder = source_file("tests/golden/caffe/");

// layer/CASE and net/CASE.
std::vector<std::string> cases() {
  std::vector<std::string> names;
  for (const std::string kind : {"layer/", "net/"})
    for (const auto& entry : std::filesystem::directory_iterator(kFolder + kind))
      names.push_back(kind + entry.path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

// The case's net, with running statistics averaged as Caffe does.
NetSpec read_net(const std::string& path) {
  std::string text = read_file(path);
  const std::string caffe = " batch_norm_param { caffe_averaging: true ";
  const size_t given = text.find("batch_norm_param {"), type = text.find("type: \"BatchNorm\"");
  if (given != std::string::npos)
    text.replace(given, 18, caffe);
  else if (type != std::string::npos)
    text.insert(type, caffe + "} ");
  return NetSpec::parse(text, path);
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

  // Relative to the largest number, plus the rounding noise that is stored with each array.
  void expect_equal(const std::vector<float>& got, const std::string& name) {
    const std::vector<float> wanted = file_.read(name);
    const double noise =
        file_.has_attribute(name, "dbl_maxdiff") ? file_.number(name, "dbl_maxdiff") : 0;
    EXPECT_LE(largest_difference(got, wanted), kTolerance * largest(wanted) + noise) << name;
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
  NetSpec spec_ = read_net(kFolder + GetParam() + "/net.prototxt");
  TensorFileReader file_{kFolder + GetParam() + "/data.h5"};
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
    for (const Parameter* parameter : learned)
      expect_equal(read_tensor(*device_, parameter->gradient),
                   text("/grad_param/", parameter->layer, "/", parameter->index));
  });
  size_t all = file_.has("/loss");
  for (const char* group : {"/out_train", "/data_after", "/grad_in", "/grad_param"})
    all += file_.names(group).size();
  EXPECT_EQ(compared_, all);
}

INSTANTIATE_TEST_SUITE_P(Cases, GoldenCaffe, testing::ValuesIn(cases()), [](const auto& info) {
  return info.param.substr(info.param.find('/') + 1);
});

TEST(GoldenCaffeCases, AreAllThere) { EXPECT_EQ(cases().size(), 70u); }

}  // namespace
}  // namespace orepa
