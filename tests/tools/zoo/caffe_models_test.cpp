// The nets of models/caffe: how many parameters they have; that they run forward and backward, and
// come back from reparam and convert as they were. Narrow ones here; those in full are slow
// (make test-slow).
#include "tools/zoo/caffe/caffe_models.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "io/text/print_text.h"
#include "orepa/convert.h"
#include "orepa/layer.h"
#include "orepa/model.h"
#include "orepa/reparam.h"
#include "orepa/weights.h"
#include "tests/comparison.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa::zoo {
namespace {

using File = CaffeNet::File;

// Of the largest number of an output, through two conversions.
constexpr double kTolerance = 1e-4;

File main_file(const CaffeModel& model) {
  return model.recipe.empty() ? File::kDeploy : File::kTrainVal;
}

struct Case {
  CaffeModel model;
  double width;
  int64_t batch;  // 0: the file's own
};

void PrintTo(const Case& one, std::ostream* out) { *out << one.model.name << " x " << one.width; }

struct Built {
  Built(const NetSpec& spec, const NetOptions& options)
      : parameters(*device, 1, options.phase == Phase::kTrain),
        arena(*device),
        net(spec, parameters, arena, options) {}
  // The proofs are of the weights, not of the rounding of Winograd's convolutions.
  std::unique_ptr<Device> device = test_device({Algorithm::kDirect});
  Parameters parameters;
  Arena arena;
  Net net;
};

class CaffeModels : public testing::TestWithParam<Case> {
 protected:
  NetSpec spec() const {
    return caffe_net(GetParam().model, main_file(GetParam().model), GetParam().width);
  }
  NetOptions options(Phase phase) const {
    NetOptions options;
    options.phase = phase;
    options.batch_size = GetParam().batch;
    return options;
  }
};

// Weights as their fillers draw them, statistics and shifts as a trained net has them.
void disturb(Parameters& parameters) {
  for (const auto& parameter : parameters.all()) {
    if (parameter->kind == Parameter::Kind::kDerived || parameter->name == "factor" ||
        parameter->name == "weight")
      continue;
    Filler filler;
    filler.type = "uniform";
    filler.min = -0.3;
    filler.max = 0.3;
    std::vector<float> values = parameters.read(*parameter), noise(values.size());
    filler.fill(parameter->value.shape, 5, parameter->path(), noise.data());
    for (size_t i = 0; i < values.size(); ++i) values[i] += noise[i];
    parameters.write(*parameter, values);
  }
}

std::vector<float> random_values(const Shape& shape, const std::string& purpose) {
  Filler filler;
  filler.type = "gaussian";
  std::vector<float> values(static_cast<size_t>(shape.count()));
  filler.fill(shape, 3, purpose, values.data());
  return values;
}

// What is added to both of two twins changes nothing between them.
bool is_of_no_effect(const Parameter& parameter) {
  return parameter.shared_name == "ip2_b" || parameter.shared_name == "feat_b";
}

TEST_P(CaffeModels, RunForwardAndBackward) {
  if (GetParam().model.recipe.empty()) GTEST_SKIP() << "a net for use only";
  Built test(spec(), options(Phase::kTest));
  test.net.prepare();
  test.net.forward(0);
  EXPECT_TRUE(std::isfinite(test.net.loss()));
  EXPECT_GT(test.net.loss(), 0);

  Built training(spec(), options(Phase::kTrain));
  training.parameters.begin_step();
  training.net.prepare();
  training.net.forward(0);
  EXPECT_TRUE(std::isfinite(training.net.loss()));
  EXPECT_GT(training.net.loss(), 0);
  training.net.backward();
  size_t learned = 0;
  training.net.finish([&](const std::vector<Parameter*>& parameters) {
    for (const Parameter* parameter : parameters) {
      const double most = largest(read_tensor(*training.device, parameter->gradient));
      EXPECT_TRUE(std::isfinite(most) && (most > 0 || is_of_no_effect(*parameter)))
          << parameter->path() << ": " << most;
      ++learned;
    }
  });
  const auto& all = training.parameters.all();
  EXPECT_EQ(static_cast<ptrdiff_t>(learned),
            std::count_if(all.begin(), all.end(), [](const auto& one) { return one->learns(); }));
}

TEST_P(CaffeModels, ComeBackFromReparamAndConvert) {
  const NetSpec plain = spec();
  const std::string folder = test_folder();
  Built original(plain, options(Phase::kTrain));
  disturb(original.parameters);
  std::string prototxt = folder + "plain.prototxt", trained = folder + "plain.caffemodel";
  write_file(prototxt, print_text(plain.proto()));
  save_weights(trained, plain, original.parameters);

  // Weights that two layers share stay plain.
  if (GetParam().model.name != "siamese") {
    ReparamFiles files;
    files.weights = {trained};
    files.output = prototxt = folder + "blocks.prototxt";
    files.output_weights = trained = folder + "blocks.caffemodel";
    // The block of FCN-8s's fc6 would have a thousand million numbers.
    const std::string exclude = GetParam().model.name == "fcn8s" ? "fc6" : "";
    const ReparamReport report =
        reparam_files(plain, {"orepa", "", exclude}, files, *original.device);
    EXPECT_GT(report.rewritten(), 0);
    EXPECT_LE(report.largest_error, files.tolerance) << report.largest_error_value;
  }

  ConvertOptions deploy;
  deploy.output = folder + "deploy.prototxt";
  deploy.output_weights = folder + "deploy.caffemodel";
  convert(NetSpec::read(prototxt), {trained}, *original.device, deploy);
  Model back(NetSpec::read(deploy.output), *original.device);
  load_weights({deploy.output_weights}, back.parameters, true);

  // The given net reads its own made-up numbers, or what it is given.
  NetOptions reading = options(Phase::kTest);
  for (const auto* blobs : {&back.net.inputs(), &back.net.outputs()})
    for (const Net::Blob& blob : *blobs) reading.keep.push_back(blob.name);
  Net net(plain, original.parameters, original.arena, reading);
  for (const Net::Blob& input : net.inputs())
    net.set(input.name, random_values(input.shape, input.name));
  net.prepare();
  net.forward(0);
  Blobs inputs;
  std::map<std::string, Shape> shapes;
  for (const Net::Blob& input : back.net.inputs()) {
    inputs[input.name] = net.read(input.name);
    shapes[input.name] = net.shape(input.name);
  }
  const Blobs outputs = back.run(inputs, shapes);
  EXPECT_GE(outputs.size(), 1u);
  for (const auto& [blob, values] : outputs) expect_close(values, net.read(blob), kTolerance, blob);
}

std::vector<Case> cases(double width, int64_t batch) {
  std::vector<Case> all;
  for (const CaffeModel& model : caffe_models()) {
    // Two channels of an inception may both be dead.
    const double least = model.name == "googlenet" ? 0.25 : 0;
    all.push_back({model, std::max(width, least), model.name == "lrcn" ? 0 : batch});
  }
  return all;
}

std::string name_of(const testing::TestParamInfo<Case>& info) {
  std::string name = info.param.model.name;
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Narrow, CaffeModels, testing::ValuesIn(cases(0.125, 2)), name_of);
INSTANTIATE_TEST_SUITE_P(Full, CaffeModels, testing::ValuesIn(cases(1, 1)), name_of);

int64_t learned(const NetSpec& spec, Phase phase) {
  NetOptions options;
  options.phase = phase;
  options.allocate = false;
  Built built(spec, options);
  int64_t count = 0;
  for (const auto& parameter : built.parameters.all())
    if (parameter->kind == Parameter::Kind::kLearned) count += parameter->value.shape.count();
  return count;
}

// As published, or counted by hand from the papers' tables; statistics of BatchNorms do not count.
TEST(CaffeModelCounts, AreThePublishedOnes) {
  struct Count {
    int64_t used, in_training = used;
  };
  const std::map<std::string, Count> published = {
      {"lenet", {431080}},
      {"cifar10_full", {89578}},
      // LeNet's with 10 units behind it, and two.
      {"siamese", {431080 + 22}},
      {"alexnet", {60965224}},
      {"caffenet", {60965224}},
      // Two heads: 128 channels, 1024 units, 1000 classes.
      {"googlenet",
       {6998552, 6998552 + (512 + 528) * 128 + 2 * (128 + (2048 + 1) * 1024 + 1025 * 1000)}},
      {"vgg16", {138357544}},
      // The bias of conv1 is a quirk of the published file.
      {"resnet50", {25557032 + 64}},
      {"squeezenet_1.0", {1248424}},
      {"squeezenet_1.1", {1235496}},
      {"mobilenet_v1", {4231976}},
      // With an expansion in the first block, too: 32 x 32 weights, and 32 scales and shifts.
      {"mobilenet_v2", {3504872 + 32 * 32 + 2 * 32}},
      {"densenet121", {7978856}},
      // VGG-16 without fc8; scores of 4096, 512 and 256 channels; three kernels of 4, 4 and 16.
      {"fcn8s",
       {138357544 - 4097 * 1000 + (4097 + 513 + 257) * 21 + 21 * 21 * (4 * 4 + 4 * 4 + 16 * 16)}},
      // CaffeNet; words of 1000 numbers; an LSTM of 1000 units, which reads words and an image;
      // words.
      {"lrcn", {60965224 + 8801 * 1000 + 4 * 1000 * (1000 + 1 + 1000 + 1000) + 8801 * 1001}},
      {"mtcnn_pnet", {6632}},
      {"mtcnn_rnet", {100178}},
      {"mtcnn_onet", {389040}}};
  for (const CaffeModel& model : caffe_models()) {
    ASSERT_TRUE(published.contains(model.name)) << model.name;
    const Count& count = published.at(model.name);
    EXPECT_EQ(learned(caffe_net(model, File::kDeploy), Phase::kTest), count.used) << model.name;
    if (model.recipe.empty()) continue;
    const NetSpec train_val = caffe_net(model, File::kTrainVal);
    EXPECT_EQ(learned(train_val, Phase::kTest), count.used) << model.name;
    EXPECT_EQ(learned(train_val, Phase::kTrain), count.in_training) << model.name;
  }
}

TEST(CaffeModelNames, UnknownOnesNameTheNearest) {
  EXPECT_EQ(error_of([] { caffe_model("googlnet"); }),
            "models/caffe has no model \"googlnet\"; did you mean \"googlenet\"?");
}

TEST(CaffeModelSolvers, ReadTheirNets) {
  const std::map<std::string, std::string> files = caffe_files();
  for (const CaffeModel& model : caffe_models()) {
    if (model.recipe.empty()) continue;
    const std::string folder = "caffe/" + model.name + "/";
    const NetSpec net =
        SolverSpec::parse(files.at(folder + "solver.prototxt"), "solver.prototxt").net();
    EXPECT_EQ(net.name(), "models/" + folder + "train_val.prototxt");
  }
}

}  // namespace
}  // namespace orepa::zoo
