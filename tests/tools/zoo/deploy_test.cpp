// The deploy files are what convert() makes: shown on narrow copies of all networks, in every style
// that a model has.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include "orepa/convert.h"
#include "orepa/net.h"
#include "orepa/weights.h"
#include "tests/files.h"
#include "tests/test_device.h"
#include "tests/tools/zoo/narrow.h"

namespace orepa::zoo {

void PrintTo(const Model& model, std::ostream* out) { *out << model.name; }

namespace {

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

INSTANTIATE_TEST_SUITE_P(Zoo, Deploy, testing::ValuesIn(narrow_models()),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace orepa::zoo
