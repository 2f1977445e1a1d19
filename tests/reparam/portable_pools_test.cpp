#include "reparam/portable_pools.h"

#include <gtest/gtest.h>

#include "reparam/equality.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

std::string pools(int height, int width) {
  return text(R"(layer { name: "x" type: "Input" top: "x"
  input_param { shape { dim: 2 dim: 3 dim: )",
              height, " dim: ", width, R"( } } }
layer { name: "max" type: "Pooling" bottom: "x" top: "max" top: "mask"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR } }
layer { name: "ave" type: "Pooling" bottom: "x" top: "ave"
  pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR } }
layer { name: "far" type: "Pooling" bottom: "x" top: "far"
  pooling_param { pool: AVE kernel_size: 2 stride: 5 round_mode: FLOOR } }
)");
}

// The net of 12 x 10, where rounding up gives other sizes, made portable, on images of another
// size.
TEST(PortablePools, HoldAtAnySize) {
  const std::unique_ptr<Device> device = test_device();
  const NetSpec small = NetSpec::parse(pools(12, 10), "pools");
  Model known(small, *device, proof_options());
  const NetParameter made =
      portable_pools(small.proto(), [&](const std::string& blob) { return known.net.shape(blob); });
  ASSERT_EQ(made.layer_size(), 1 + 2 * 3);
  for (const auto& [height, width] : {std::pair{12, 10}, {13, 15}, {8, 9}, {7, 7}}) {
    const NetSpec original = NetSpec::parse(pools(height, width), "pools");
    NetParameter resized = made;
    *resized.mutable_layer(0) = original.proto().layer(0);
    const NetSpec rewritten(resized);
    Model a(original, *device, proof_options());
    Model b(rewritten, *device, proof_options());
    for (const auto& parameter : b.parameters.all())
      b.parameters.write(*parameter, std::vector<float>(parameter->value.count(), 1.0f));
    run_alike(a.net, b.net);
    for (const char* blob : {"max", "mask", "ave", "far"}) {
      ASSERT_EQ(a.net.shape(blob), b.net.shape(blob)) << height << " x " << width;
      // The same sums in the same order, then times 1.
      EXPECT_EQ(compare(a.net, b.net, blob).absolute, 0) << blob << height << " x " << width;
    }
  }
}

// Caffe drops the last window of the unpadded axis too, OpenCV does not: there the pool gets stride
// 1, and keeps its own along the other axis, where it rounds up.
TEST(PortablePools, GetStrideOneWhereReadersDisagree) {
  const std::unique_ptr<Device> device = test_device();
  const NetSpec spec = NetSpec::parse(R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 12 dim: 11 } } }
layer { name: "apart" type: "Pooling" bottom: "x" top: "apart"
  pooling_param { kernel_h: 3 kernel_w: 1 stride_h: 2 stride_w: 4 pad_h: 1 pad_w: 0 } })",
                                      "pool");
  Model known(spec, *device, proof_options());
  const NetParameter made =
      portable_pools(spec.proto(), [&](const std::string& blob) { return known.net.shape(blob); });
  ASSERT_EQ(made.layer_size(), 3);
  EXPECT_EQ(made.layer(1).pooling_param().stride_h(), 2u);
  EXPECT_EQ(made.layer(1).pooling_param().stride_w(), 1u);
  EXPECT_EQ(made.layer(2).convolution_param().stride_h(), 1u);
  EXPECT_EQ(made.layer(2).convolution_param().stride_w(), 4u);
}

}  // namespace
}  // namespace orepa
