// RepVGG blocks with squeeze-and-excitation (Hu et al., CVPR 2018), as RepVGG-D2se has them: the
// block comes and goes, its gate stays.
#include <gtest/gtest.h>

#include "orepa.pb.h"
#include "orepa/convert.h"
#include "orepa/net.h"
#include "orepa/reparam.h"
#include "orepa/weights.h"
#include "tests/files.h"
#include "tests/reparam/random_values.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// The form that docs/orepa.md shows, which Caffe and OpenCV read: the gate is N x C, scaled along
// axis 0.
constexpr const char* kNet = R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 8 dim: 6 dim: 5 } } }
layer { name: "block" type: "Convolution" bottom: "x" top: "block"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 bias_term: false } }
layer { name: "block.bn" type: "BatchNorm" bottom: "block" top: "block" }
layer { name: "block.scale" type: "Scale" bottom: "block" top: "block" scale_param { bias_term: true } }
layer { name: "block.se.squeeze" type: "Pooling" bottom: "block" top: "block.se.squeeze"
  pooling_param { pool: AVE global_pooling: true } }
layer { name: "block.se.down" type: "InnerProduct" bottom: "block.se.squeeze" top: "block.se.down"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "block.se.relu" type: "ReLU" bottom: "block.se.down" top: "block.se.down" }
layer { name: "block.se.up" type: "InnerProduct" bottom: "block.se.down" top: "block.se.up"
  inner_product_param { num_output: 8 weight_filler { type: "xavier" } } }
layer { name: "block.se.gate" type: "Sigmoid" bottom: "block.se.up" top: "block.se.gate" }
layer { name: "block.se.excite" type: "Scale" bottom: "block" bottom: "block.se.gate" top: "block.se.excite"
  scale_param { axis: 0 } }
layer { name: "block.relu" type: "ReLU" bottom: "block.se.excite" top: "block.se.excite" }
)";

TEST(SqueezeExcite, StaysWhileItsRepVggBlockComesAndGoes) {
  const std::string folder = test_folder();
  const auto device = test_device();
  for (const char* style : {"repvgg", "orepa_vgg"}) {
    const NetSpec net = reparam(NetSpec::parse(kNet, "net"), {style, "", ""});
    Parameters parameters(*device, 3, false);
    Arena arena(*device);
    const Net built(net, parameters, arena, {});
    fill_as_trained(parameters, 5);
    const std::string weights = folder + "trained.caffemodel";
    save_weights(weights, net, parameters);

    ConvertOptions options;
    options.output = folder + "deploy.prototxt";
    options.output_weights = folder + "deploy.caffemodel";
    const ConvertReport report = convert(net, {weights}, *device, options);
    ASSERT_EQ(report.rows.size(), 1u);
    EXPECT_EQ(report.rows[0].layer, "block");
    EXPECT_EQ(report.rows[0].branches.size(), 3u);  // 3 x 3, 1 x 1, identity
    EXPECT_TRUE(report.left.empty());
    // The three branches become one: float32's rounding, as in merge_test.
    EXPECT_LE(report.output_error, 1e-5);

    std::string types;
    const NetSpec deploy = NetSpec::read(options.output);
    for (const LayerParameter& layer : deploy.proto().layer()) types += layer.type() + " ";
    EXPECT_EQ(types,
              "Input Convolution Pooling InnerProduct ReLU InnerProduct Sigmoid Scale ReLU ");
  }
}

}  // namespace
}  // namespace orepa
