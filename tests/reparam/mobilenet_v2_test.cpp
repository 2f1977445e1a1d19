// MobileNet v2 (Sandler et al., CVPR 2018), whose bottlenecks are linear: two convolutions meet
// without anything in between, and one for both would be larger.
#include <gtest/gtest.h>

#include "orepa/convert.h"
#include "orepa/net.h"
#include "orepa/weights.h"
#include "tests/files.h"
#include "tests/reparam/random_values.h"
#include "tests/test_device.h"
#include "tools/zoo/net_builder.h"

namespace orepa {
namespace {

// Of the published channels, for images of 32 x 32; ReLU in place of ReLU6.
NetSpec mobilenet_v2() {
  zoo::NetBuilder net("mobilenet_v2");
  BlobShape& shape = *net.add("data", "Input", {}, "data").mutable_input_param()->add_shape();
  for (const int extent : {1, 3, 32, 32}) shape.add_dim(extent);
  const auto norm_relu = [&](const std::string& name, const std::string& bottom, int outputs,
                             const zoo::Window& window, int groups = 1) {
    return net.relu(name + ".relu", net.convolution_norm(name, bottom, outputs, window, groups));
  };
  struct Stage {
    int expansion, outputs, blocks, stride;
  };
  constexpr Stage kStages[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                               {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};
  int channels = 32, number = 0;
  std::string blob = norm_relu("conv", "data", channels, {.kernel = 3, .stride = 2, .pad = 1});
  for (const Stage& stage : kStages)
    for (int i = 0; i < stage.blocks; ++i) {
      const std::string name = text("block", ++number), start = blob;
      const int wide = channels * stage.expansion, stride = i == 0 ? stage.stride : 1;
      if (stage.expansion > 1) blob = norm_relu(name + ".expand", blob, wide, {});
      blob = norm_relu(name + ".depthwise", blob, wide, {.kernel = 3, .stride = stride, .pad = 1},
                       wide);
      blob = net.convolution_norm(name + ".project", blob, stage.outputs, {});
      if (stride == 1 && channels == stage.outputs) blob = net.sum(name + ".sum", start, blob);
      channels = stage.outputs;
    }
  blob = norm_relu("last", blob, 1280, {});
  net.linear("linear", net.global_average("gap", blob), 1280, 1000);
  return NetSpec(net.net(), "mobilenet_v2");
}

// 3,504,872 published numbers, of which 2 x 17,056 are scales and shifts of BatchNorms: a bias each
// is left of them.
TEST(MobileNetV2, IsAsLargeAsWithItsBatchNormsFoldedAlone) {
  const std::string folder = test_folder();
  const std::unique_ptr<Device> device = test_device();
  const NetSpec net = mobilenet_v2();
  {
    Parameters parameters(*device, 3, false);
    Arena arena(*device);
    const Net built(net, parameters, arena, {});
    fill_as_trained(parameters, 5);
    save_weights(folder + "trained.caffemodel", net, parameters);
  }
  ConvertOptions options;
  options.output = folder + "deploy.prototxt";
  options.output_weights = folder + "deploy.caffemodel";
  const ConvertReport report = convert(net, {folder + "trained.caffemodel"}, *device, options);
  EXPECT_EQ(report.parameters_before, 3504872);
  EXPECT_EQ(report.parameters_after, 3504872 - 17056);
  EXPECT_EQ(report.rows.size(), 52u);  // every convolution
  // Two bottlenecks have no sum behind them: 16 channels between 32 and 96, 320 between 960 and
  // 1280. As one convolution each, with the bias of one:
  options.merge_all = true;
  EXPECT_EQ(
      convert(net, {folder + "trained.caffemodel"}, *device, options).parameters_after,
      report.parameters_after + 32 * 96 - (32 + 96 + 1) * 16 + 960 * 1280 - (960 + 1280 + 1) * 320);
}

}  // namespace
}  // namespace orepa
