// Upsample by the mask of a pool. The mask is no number to be rounded, and where it has a pixel
// twice the gradient is no derivative, so these are no rows of the harness.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

#include "orepa/net.h"
#include "tests/layers/check_layer.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Whole numbers below `pixels` as a mask, drawn at random: some pixels more than once.
LayerCase unpooling(const Shape& x, const std::string& fields, int64_t pixels, int64_t height,
                    int64_t width) {
  LayerCase row{
      "unpooling",
      "layer { name: \"it\" type: \"Upsample\" top: \"y\" upsample_param { " + fields + " } }",
      {{x}, {x, TestInput::Values::kLabels, pixels}}};
  row.derivative = false;
  row.expected = [=](const Arrays& in, const Arrays&) {
    std::vector<double> y(static_cast<size_t>(x[0] * x[1] * height * width), 0);
    const int64_t each = x[2] * x[3];
    for (int64_t i = 0; i < x.count(); ++i) {
      const auto place = static_cast<int64_t>(in[1][i]);
      y[i / each * height * width + place] = in[0][i];
    }
    return Arrays{y};
  };
  return row;
}

TEST(Unpooling, PutsNumbersWhereTheMaskSays) {
  const auto device = test_device();
  check_layer(*device, unpooling({2, 3, 4, 5}, "", 80, 8, 10));
  check_layer(*device, unpooling({1, 70, 2, 3}, "scale: 3", 54, 6, 9));
  check_layer(*device, unpooling({2, 2, 3, 2}, "scale_h: 2 scale_w: 4", 48, 6, 8));
  check_layer(*device, unpooling({1, 3, 3, 4}, "scale: 2 pad_out_h: true", 40, 5, 8));
  check_layer(*device, unpooling({1, 3, 3, 4}, "pad_out_w: true", 42, 6, 7));
  check_layer(*device, unpooling({2, 1, 3, 4}, "scale: 2 upsample_h: 5 upsample_w: 7", 35, 5, 7));
}

TEST(Unpooling, KeepsItsLayerInFloat32) {
  const auto device = test_device();
  if (device->bfloat16() == Device::Support::kNone) GTEST_SKIP() << "not on this processor";
  EXPECT_FALSE(check_layer_in_bfloat16(*device, unpooling({2, 3, 4, 5}, "", 80, 8, 10)));
}

// As SegNet's nets have it: what was largest in a window returns to its place.
constexpr const char* kNet = R"(
layer { name: "data" type: "Input" top: "x" input_param { shape { dim: 1 dim: 1 dim: 3 dim: 4 } } }
layer { name: "pool" type: "Pooling" bottom: "x" top: "pool" top: "mask" pooling_param { pool: MAX kernel_size: 2 stride: 2 } }
layer { name: "times" type: "Power" bottom: "pool" top: "times" power_param { scale: 10 } }
layer { name: "up" type: "Upsample" bottom: "times" bottom: "mask" top: "y" upsample_param { scale: 2 upsample_w: 4 upsample_h: 3 } }
layer { name: "weight" type: "Input" top: "w" input_param { shape { dim: 1 dim: 1 dim: 3 dim: 4 } } }
layer { name: "product" type: "Eltwise" bottom: "y" bottom: "w" top: "product" loss_weight: 1 eltwise_param { operation: PROD } })";

TEST(Unpooling, UndoesAPool) {
  const auto device = test_device();
  Parameters parameters(*device, 1, true);
  Arena arena(*device);
  NetOptions options;
  options.input_gradients = true;
  options.keep = {"mask", "y"};
  Net net(NetSpec::parse(kNet, "segnet.prototxt"), parameters, arena, options);
  net.set("x", {1, 2, 9, 3,  //
                6, 5, 4, 8,  //
                7, 1, 2, 2});
  net.set("w", {1, 2, 3, 4,  //
                5, 6, 7, 8,  //
                9, 10, 11, 12});
  net.prepare();
  net.forward(0);
  EXPECT_EQ(net.read("mask"), (std::vector<float>{4, 2, 8, 10}));
  EXPECT_EQ(net.read("y"), (std::vector<float>{0, 0, 90, 0,  //
                                               60, 0, 0, 0,  //
                                               70, 0, 20, 0}));
  net.backward();
  EXPECT_EQ(net.read_gradient("x"), (std::vector<float>{0, 0, 30, 0,  //
                                                        50, 0, 0, 0,  //
                                                        90, 0, 110, 0}));
}

TEST(Unpooling, NamesTheSampleWhoseMaskIsOfALargerImage) {
  const auto device = test_device();
  Parameters parameters(*device, 1, true);
  Arena arena(*device);
  Net net(NetSpec::parse(R"(
layer { name: "data" type: "Input" top: "x" top: "mask" input_param { shape { dim: 2 dim: 1 dim: 1 dim: 2 } } }
layer { name: "up" type: "Upsample" bottom: "x" bottom: "mask" top: "y" })",
                         "segnet.prototxt"),
          parameters, arena, {});
  net.set("x", {1, 2, 3, 4});
  net.set("mask", {7, 1, 0, 8});
  net.prepare();
  net.forward(0);
  EXPECT_TRUE(std::isnan(net.read("y")[8]));
  EXPECT_THAT(net.find_non_finite(),
              testing::HasSubstr("its mask has 8, which is no pixel of 2 x 4"));
}

}  // namespace
}  // namespace orepa
