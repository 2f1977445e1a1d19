// Numbers of parameters against tests/golden/models.json, which the published code wrote.
#include <google/protobuf/struct.pb.h>
#include <google/protobuf/util/json_util.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <map>

#include "core/input_file.h"
#include "orepa/net.h"
#include "tests/files.h"
#include "tests/test_device.h"
#include "tools/zoo/models.h"

namespace orepa::zoo {
namespace {

using Json = google::protobuf::Struct;

struct Case {
  std::string model, published;  // "resnet18", "ResNet-18"
};

const std::vector<Case> kCases = {
    {"resnet18", "ResNet-18"},           {"resnet34", "ResNet-34"},
    {"resnet50", "ResNet-50"},           {"resnet101", "ResNet-101"},
    {"resnet18_1.5x", "ResNet-18-1.5x"}, {"resnet18_2x", "ResNet-18-2x"},
    {"resnext50_32x4d", "ResNeXt-50"},   {"repvgg_a0", "RepVGG-A0"},
    {"repvgg_a1", "RepVGG-A1"},          {"repvgg_a2", "RepVGG-A2"},
    {"repvgg_b1", "RepVGG-B1"}};

const std::map<std::string, std::string> kStyles = {{"base", "plain"},
                                                    {"DBB", "dbb"},
                                                    {"OREPA", "orepa"},
                                                    {"RepVGG", "repvgg"},
                                                    {"OREPA_VGG", "orepa_vgg"}};

// A net with shapes only.
struct Shapes {
  explicit Shapes(const NetSpec& spec, Phase phase)
      : parameters(*device, 1, false),
        arena(*device),
        net(spec, parameters, arena, options(phase)) {}
  static NetOptions options(Phase phase) {
    NetOptions options;
    options.phase = phase;
    options.batch_size = 1;
    options.allocate = false;
    return options;
  }
  int64_t learned() const {
    int64_t count = 0;
    for (const auto& parameter : parameters.all())
      if (parameter->kind == Parameter::Kind::kLearned) count += parameter->value.shape.count();
    return count;
  }
  std::unique_ptr<Device> device = test_device();
  Parameters parameters;
  Arena arena;
  Net net;
};

class ParameterCounts : public testing::TestWithParam<Case> {
 protected:
  ParameterCounts() {
    Json all;
    const std::string text = read_file(source_file("tests/golden/models.json"));
    EXPECT_TRUE(google::protobuf::util::JsonStringToMessage(text, &all).ok());
    styles_ = all.fields().at(GetParam().published).struct_value();
  }
  Json styles_;
};

// An OREPA-VGG block with an identity branch has one more row of scaling factors in the published
// code, which nothing reads (docs/orepa.md).
int64_t unread(const std::string& style, const Parameters& parameters) {
  int64_t count = 0;
  for (const auto& parameter : parameters.all())
    if (style == "orepa_vgg" && parameter->layer.ends_with(".rbr_identity.scale") &&
        parameter->name == "scale")
      count += parameter->value.shape.count();
  return count;
}

TEST_P(ParameterCounts, AreThoseInTraining) {
  const Model& zoo_model = model(GetParam().model);
  EXPECT_LE(styles_.fields_size(), static_cast<int>(zoo_model.styles.size()));
  for (const auto& [block, published] : styles_.fields()) {
    const std::string style = kStyles.at(block);
    const Shapes shapes(train_val(zoo_model, style), Phase::kTrain);
    EXPECT_EQ(shapes.learned() + unread(style, shapes.parameters),
              published.struct_value().fields().at("params").number_value())
        << block;
  }
}

// As known of the papers' networks: 138.36 and 4.23 million.
TEST(PlainExamples, HaveAsManyParameters) {
  EXPECT_EQ(Shapes(train_val(model("vgg16"), "plain"), Phase::kTrain).learned(), 138357544);
  EXPECT_EQ(Shapes(train_val(model("mobilenet_v1"), "plain"), Phase::kTrain).learned(), 4231976);
}

// The convolution with ones that stands for the stem's pool (reparam/deploy.h) has none to learn.
TEST_P(ParameterCounts, AreThoseAfterMerging) {
  const Model& zoo_model = model(GetParam().model);
  for (const auto& [block, published] : styles_.fields()) {
    const Shapes shapes(deploy(zoo_model, kStyles.at(block)), Phase::kTest);
    const Parameter* pool = shapes.parameters.find("stage0.pool", "weight");
    EXPECT_EQ(shapes.learned() - (pool == nullptr ? 0 : pool->value.shape.count()),
              published.struct_value().fields().at("deploy_params").number_value())
        << block;
  }
}

std::string decimals(int64_t number, double unit) {
  char digits[32];
  std::snprintf(digits, sizeof digits, "%.2f", static_cast<double>(number) / unit);
  return digits;
}

TEST(Readme, HasTheCountsOfEveryModel) {
  const std::string readme = read_file(source_file("README.md"));
  for (const Model& model : models()) {
    std::string counts;
    for (const std::vector<std::string>& either :
         {std::vector<std::string>{"plain"}, {"dbb", "repvgg"}, {"orepa", "orepa_vgg"}}) {
      std::string count = "–";
      for (const std::string& style : model.styles)
        if (std::find(either.begin(), either.end(), style) != either.end())
          count = decimals(Shapes(train_val(model, style), Phase::kTrain).learned(), 1e6);
      counts += (counts.empty() ? "" : " / ") + count;
    }
    const Shapes deployed(deploy(model, "plain"), Phase::kTest);
    int64_t macs = 0;
    for (const LayerReport& layer : deployed.net.report()) macs += layer.macs;
    const std::string row = "| " + model.name + " | " + counts + " | " +
                            decimals(deployed.learned(), 1e6) + " | " + decimals(macs, 1e9) + " |";
    EXPECT_NE(readme.find(row), std::string::npos) << "README.md has no row " << row;
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, ParameterCounts, testing::ValuesIn(kCases), [](const auto& info) {
  std::string name = info.param.published;
  std::erase_if(name, [](char c) { return c == '-' || c == '.'; });
  return name;
});

}  // namespace
}  // namespace orepa::zoo
