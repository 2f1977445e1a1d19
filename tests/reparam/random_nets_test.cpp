// Random nets through files and back: reparam() in every style, and convert() of each.
#include <gtest/gtest.h>

#include "orepa.pb.h"
#include "orepa/convert.h"
#include "orepa/net.h"
#include "orepa/reparam.h"
#include "orepa/weights.h"
#include "tests/files.h"
#include "tests/reparam/random_net.h"
#include "tests/reparam/random_values.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Of sums that cancel, float32's rounding in another order of operations is some 3e-5 of what is
// left, once in 10,000 nets.
constexpr double kTolerance = 1e-4;

class RandomFiles : public testing::Test {
 protected:
  void save_as_trained(const NetSpec& net, uint64_t seed) {
    Parameters parameters(*device_, seed, false);
    Arena arena(*device_);
    const Net built(net, parameters, arena, {});
    fill_as_trained(parameters, seed);
    save_weights(weights_, net, parameters);
  }
  // The types of the layers.
  std::vector<std::string> converted(const NetSpec& net, const std::string& weights) {
    ConvertOptions options;
    options.output = folder_ + "deploy.prototxt";
    options.output_weights = folder_ + "deploy.caffemodel";
    options.tolerance = kTolerance;
    convert(net, {weights}, *device_, options);
    std::vector<std::string> types;
    const NetSpec deploy = NetSpec::read(options.output);
    for (const LayerParameter& layer : deploy.proto().layer()) types.push_back(layer.type());
    return types;
  }

  std::string folder_ = test_folder(), weights_ = folder_ + "trained.caffemodel";
  std::unique_ptr<Device> device_ = test_device();
};

TEST_F(RandomFiles, AreConverted) {
  for (int i = 0; i < random_seeds() / 20; ++i) {
    const auto seed = static_cast<uint64_t>(i);
    const std::string text = RandomNet(seed).net();
    SCOPED_TRACE(orepa::text("seed ", seed, "\n", text));
    const NetSpec net = NetSpec::parse(text, "net");
    save_as_trained(net, seed);
    ASSERT_NO_THROW(converted(net, weights_));
    ConvertOptions onnx;
    onnx.format = ConvertOptions::Format::kOnnx;
    onnx.output = folder_ + "deploy.onnx";
    onnx.merge_all = true;
    ASSERT_NO_THROW(convert(net, {weights_}, *device_, onnx));
  }
}

// The blocks start as the trained net, and convert() makes of them what it makes of the plain net.
TEST_F(RandomFiles, AreReparameterisedAndConvertedBack) {
  for (int i = 0; i < random_seeds() / 20; ++i) {
    const auto seed = static_cast<uint64_t>(i);
    const std::string text = RandomNet(seed).net(),
                      style = reparam_styles()[seed % reparam_styles().size()];
    SCOPED_TRACE(orepa::text("seed ", seed, ", style ", style, "\n", text));
    const NetSpec net = NetSpec::parse(text, "net");
    save_as_trained(net, seed);
    ReparamFiles files;
    files.weights = {weights_};
    files.output = folder_ + "blocks.prototxt";
    files.output_weights = folder_ + "blocks.caffemodel";
    files.tolerance = kTolerance;
    ReparamReport report;
    ASSERT_NO_THROW(report = reparam_files(net, {style, "", ""}, files, *device_));
    if (report.rewritten() == 0) continue;
    std::vector<std::string> plain, blocks;
    ASSERT_NO_THROW(plain = converted(net, weights_));
    ASSERT_NO_THROW(blocks = converted(NetSpec::read(files.output), files.output_weights));
    EXPECT_EQ(blocks, plain);
  }
}

}  // namespace
}  // namespace orepa
