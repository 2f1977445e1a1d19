// The deploy files are what convert() makes: shown on narrow copies of all networks, in every style
// that a model has.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "orepa/convert.h"
#include "orepa/net.h"
#include "orepa/weights.h"
#include "tests/files.h"
#include "tests/test_device.h"
#include "tools/zoo/models.h"

namespace orepa::zoo {

void PrintTo(const Model& model, std::ostream* out) { *out << model.name; }

namespace {

const std::vector<Model> kNarrow = {
    {"basic", "", ResNet{{2, 1, 1, 1}, false, 0.125}, {"plain", "dbb", "orepa"}},
    {"bottleneck", "", ResNet{{2, 1, 1, 1}, true, 0.125}, {"plain", "dbb", "orepa"}},
    {"grouped", "", ResNet{{1, 1, 1, 1}, true, 0.25, 4, 16}, {"plain", "orepa"}},
    {"repvgg",
     "",
     RepVgg{{1, 1, 2, 1}, {0.125, 0.125, 0.125, 0.125}},
     {"plain", "repvgg", "orepa_vgg"}},
    {"vgg16", "", Vgg16{0.125}, {"plain"}},
    {"mobilenet", "", MobileNet{0.125}, {"plain"}}};

class Deploy : public testing::TestWithParam<Model> {};

TEST_P(Deploy, IsWhatConvertWrites) {
  const Task task{2, 64, 10};
  const std::string folder = test_folder();
  const std::unique_ptr<Device> device = test_device();
  for (const std::string& style : GetParam().styles) {
    const NetSpec trained = train_val(GetParam(), style, task);
    {
      Parameters parameters(*device, 1, false);
      Arena arena(*device);
      const Net net(trained, parameters, arena, {});
      save_weights(folder + "trained.caffemodel", trained, parameters);
    }
    ConvertOptions options;
    options.output = folder + "deploy.prototxt";
    options.output_weights = folder + "deploy.caffemodel";
    convert(trained, {folder + "trained.caffemodel"}, *device, options);

    google::protobuf::util::MessageDifferencer differencer;
    std::string differences;
    differencer.ReportDifferencesToString(&differences);
    EXPECT_TRUE(differencer.Compare(deploy(GetParam(), style, task).proto(),
                                    NetSpec::read(options.output).proto()))
        << style << "\n"
        << differences;
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, Deploy, testing::ValuesIn(kNarrow),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace orepa::zoo
