// What a layer that cannot be gets: an Error that names file, line, column and layer, and says what
// was wrong. Never a crash, whatever the numbers.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "orepa/net.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

struct BadLayer {
  std::string name;    // of the test
  std::string bottom;  // dimensions of the bottom "x", as in a prototxt
  std::string layer;   // the fields of the bad layer, which is the net's second one, on line 2
  std::string expected;
};

void PrintTo(const BadLayer& bad, std::ostream* out) { *out << bad.layer; }

class BadLayerTest : public testing::TestWithParam<BadLayer> {};

TEST_P(BadLayerTest, IsRefusedClearly) {
  const BadLayer& bad = GetParam();
  const std::string text = "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { " +
                           bad.bottom + " } } }\nlayer { name: \"it\" " + bad.layer + " }\n";
  const auto device = test_device();
  if (device->is_cuda() && bad.expected.find("than this device counts") != std::string::npos)
    GTEST_SKIP() << "oneDNN counts to 2^31";
  Parameters parameters(*device, 1, true);
  Arena arena(*device);
  NetOptions options;
  options.phase = Phase::kTrain;
  try {
    const Net net(NetSpec::parse(text, "bad.prototxt"), parameters, arena, options);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr(bad.expected));
    EXPECT_THAT(error.what(), testing::StartsWith("bad.prototxt:2:"));
  }
}

const std::string kImage = "dim: 2 dim: 6 dim: 5 dim: 5";

std::string many_axes() {
  std::string dims;
  for (int axis = 0; axis < 33; ++axis) dims += "dim: 1 ";
  return dims;
}

BadLayer one(const std::string& name, const std::string& type, const std::string& fields,
             const std::string& expected, const std::string& bottom = kImage) {
  return {name, bottom, "type: \"" + type + "\" bottom: \"x\" top: \"y\" " + fields,
          "layer \"it\" (" + type + "): " + expected};
}

BadLayer convolution(const std::string& name, const std::string& fields,
                     const std::string& expected) {
  return one(name, "Convolution", "convolution_param { " + fields + " }", expected);
}

BadLayer pooling(const std::string& name, const std::string& fields, const std::string& expected) {
  return one(name, "Pooling", "pooling_param { " + fields + " }", expected);
}

INSTANTIATE_TEST_SUITE_P(
    Rows, BadLayerTest,
    testing::Values(
        one("unknown_type", "Convolutoin", "",
            "unknown layer type \"Convolutoin\"; did you mean \"Convolution\"?"),
        one("unknown_type_like_none", "Wobble", "",
            "unknown layer type \"Wobble\"; `orepa_tool layers` lists all that there are."),
        BadLayer{"no_bottom", kImage, "type: \"ReLU\" top: \"y\"",
                 "has 0 bottoms, but needs at least 1"},
        BadLayer{"missing_bottom", kImage, "type: \"ReLU\" bottom: \"z\" top: \"y\"", "\"z\""},
        one("too_many_bottoms", "ReLU", "bottom: \"x\"", "has 2 bottoms, but takes 1"),
        BadLayer{"dummy_of_all_memory", kImage,
                 "type: \"DummyData\" top: \"y\" dummy_data_param { shape { dim: 65536 dim: 65536 "
                 "dim: 65536 dim: 65536 } }",
                 "layer \"it\" (DummyData): a top would be 65536 x 65536 x 65536 x 65536"},
        BadLayer{"dummy_of_negative_extent", kImage,
                 "type: \"DummyData\" top: \"y\" dummy_data_param { shape { dim: 1 dim: -3 } }",
                 "layer \"it\" (DummyData): a top would be 1 x -3"},
        BadLayer{"input_of_many_axes", kImage,
                 "type: \"Input\" top: \"y\" input_param { shape { " + many_axes() + "} }",
                 "layer \"it\" (Input): an output would be 1 x 1"},
        BadLayer{"no_top", kImage, "type: \"ReLU\" bottom: \"x\"",
                 "layer \"it\" (ReLU): makes 1 top, but 0 are named"},
        convolution("outputs_of_32_bits", "num_output: 4294967295 kernel_size: 2",
                    "parameter \"weight\" would be 4294967295 x 6 x 2 x 2"),
        one("pool_of_32_bits", "Pooling", "pooling_param { global_pooling: true }",
            "a tensor of 1 x 1 x 65536 x 65536 is more than this device counts",
            "dim: 1 dim: 1 dim: 65536 dim: 65536"),
        one("sample_of_32_bits", "BatchNorm", "",
            "a tensor of 1 x 600000000 is more than this device counts", "dim: 1 dim: 600000000"),
        one("bottom_of_a_source", "DummyData", "dummy_data_param { shape { dim: 2 } }",
            "has 1 bottom, but takes 0"),
        one("too_many_tops", "ReLU", "top: \"z\"", "makes 1 top, but 2 are named"),
        one("too_many_loss_weights", "ReLU", "loss_weight: 1 loss_weight: 2",
            "loss_weight is given 2 times"),
        BadLayer{"top_of_another_shape", kImage,
                 "type: \"Convolution\" bottom: \"x\" top: \"x\" convolution_param { num_output: 3 "
                 "kernel_size: 3 }",
                 "top \"x\" is written over the bottom of that name, which is 2 x 6 x 5 x 5, not "
                 "2 x 3 x 3 x 3"},
        one("too_many_params", "Convolution",
            "param {} param {} convolution_param { num_output: 3 kernel_size: 3 bias_term: false }",
            "param {} is given 2 times for a layer with 1 blob"),
        one("params_without_blobs", "ReLU", "param { lr_mult: 0 }",
            "param {} is given 1 times for a layer with 0 blobs"),
        // The Scale is computed by the BatchNorm's node and keeps its own.
        BadLayer{
            "too_many_params_of_an_absorbed_layer", kImage,
            "type: \"BatchNorm\" bottom: \"x\" top: \"y\" param {} param {} param {} } layer { "
            "name: \"scale\" type: \"Scale\" bottom: \"y\" top: \"y\" param {} param {}",
            "layer \"scale\" (Scale): param {} is given 2 times for a layer with 1 blob"},
        one("blobs_in_text", "Scale", "blobs { data: 1 }",
            "has blobs {}; weights are read from weight files"),
        one("phase_of_a_layer", "ReLU", "phase: TEST", "phase is TEST in a net of the other phase"),
        one("not_a_number", "ReLU", "relu_param { negative_slope: nan }",
            "bad.prototxt:2:67: negative_slope is nan"),
        BadLayer{
            "infinite_loss_weight", "dim: 2 dim: 1",
            "type: \"SoftmaxWithLoss\" bottom: \"x\" bottom: \"x\" top: \"y\" loss_weight: 1e300",
            "loss_weight is inf; it must be a finite number"},
        one("unknown_filler_like_none", "Scale",
            "scale_param { filler { type: \"zzzzzzzzzzzz\" } }",
            "bad.prototxt:2:78: unknown filler \"zzzzzzzzzzzz\"; there are bilinear, constant"),
        one("unknown_filler", "Scale", "scale_param { filler { type: \"gausian\" } }",
            "bad.prototxt:2:78: unknown filler \"gausian\"; did you mean \"gaussian\"?"),

        convolution("convolution_without_outputs", "kernel_size: 3", "num_output must be positive"),
        convolution("convolution_without_kernel", "num_output: 3", "kernel_size must be positive"),
        convolution("convolution_stride_zero", "num_output: 3 kernel_size: 3 stride: 0",
                    "stride must be positive"),
        convolution("convolution_dilation_zero", "num_output: 3 kernel_size: 3 dilation: 0",
                    "dilation must be positive"),
        convolution("convolution_group", "num_output: 6 kernel_size: 3 group: 4",
                    "group must divide"),
        convolution("convolution_group_zero", "num_output: 6 kernel_size: 3 group: 0",
                    "group must divide"),
        convolution("convolution_kernel_too_large", "num_output: 6 kernel_size: 7",
                    "the kernel 7 x 7"),
        convolution("convolution_kernel_huge", "num_output: 6 kernel_size: 4294967295",
                    "kernel_size is 4294967295"),
        convolution("convolution_outputs_huge",
                    "num_output: 4294967295 kernel_size: 1000000000 pad: 1000000000",
                    "parameter \"weight\" would be"),
        convolution("convolution_three_strides",
                    "num_output: 6 kernel_size: 3 stride: 1 stride: 1 stride: 1",
                    "stride has 3 values"),
        convolution("convolution_both_forms",
                    "num_output: 6 kernel_size: 3 kernel_h: 3 kernel_w: 3",
                    "either kernel_size or kernel_h"),
        one("convolution_with_branches", "Convolution",
            "convolution_param { num_output: 6 kernel_size: 3 } orepa_param { preset: OREPA }",
            "has an orepa_param"),
        one("convolution_of_rows", "Convolution",
            "convolution_param { num_output: 6 kernel_size: 3 }",
            "kernel_size needs an axis behind that of the channels, axis 1 of the bottom 2 x 6",
            "dim: 2 dim: 6"),
        one("convolution_axis", "Convolution",
            "convolution_param { num_output: 6 kernel_size: 3 axis: 4 }", "axis 4 does not exist"),
        one("convolution_sides_of_a_space", "Convolution",
            "convolution_param { num_output: 6 kernel_h: 3 kernel_w: 3 }",
            "kernel_h and kernel_w are of two axes, and there are 3; give kernel_size for each",
            "dim: 2 dim: 6 dim: 5 dim: 5 dim: 5"),
        one("convolution_two_strides_of_a_space", "Convolution",
            "convolution_param { num_output: 6 kernel_size: 3 stride: 1 stride: 2 }",
            "stride has 2 values; give one for all axes, or one for each of the 3",
            "dim: 2 dim: 6 dim: 5 dim: 5 dim: 5"),
        one("convolution_of_too_many_axes", "Convolution",
            "convolution_param { num_output: 6 kernel_size: 1 }",
            "a convolution over more than 10 axes is not offered",
            "dim: 2 dim: 6 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 "
            "dim: 1"),
        one("convolution_top_of_a_space", "Convolution",
            "convolution_param { num_output: 1 kernel_size: 1 pad: 1000000000 }",
            "a top would be 2 x 1 x 2000000005 x 2000000005 x 2000000005",
            "dim: 2 dim: 6 dim: 5 dim: 5 dim: 5"),
        one("convolution_of_too_many_bottoms", "Convolution",
            "bottom: \"x\" convolution_param { num_output: 6 kernel_size: 3 }",
            "makes a top of each bottom, got 2 bottoms and 1 tops"),
        one("block_of_a_space", "ORepaConv",
            "convolution_param { num_output: 6 kernel_size: 3 } orepa_param { preset: OREPA }",
            "bottom must have two axes behind that of the channels, height and width",
            "dim: 2 dim: 6 dim: 5 dim: 5 dim: 5"),

        pooling("pooling_without_kernel", "pool: MAX", "kernel_size must be positive"),
        pooling("pooling_stride_zero", "kernel_size: 2 stride: 0", "stride must be positive"),
        pooling("pooling_pad", "kernel_size: 2 pad: 2", "pad must be smaller than the kernel"),
        pooling("pooling_kernel_too_large", "kernel_size: 6", "the kernel 6 is larger"),
        pooling("pooling_window_outside", "kernel_size: 1 stride: 3",
                "the last window would lie wholly outside"),
        pooling("pooling_global_with_kernel", "global_pooling: true kernel_size: 3",
                "global_pooling takes the whole image"),
        pooling("pooling_global_with_pad", "global_pooling: true pad: 1",
                "global_pooling takes no pad and no stride, got pad 1 x 1"),
        pooling("pooling_global_with_pad_w", "global_pooling: true pad_w: 1",
                "global_pooling takes no pad and no stride, got pad 0 x 1"),
        pooling("pooling_global_with_stride", "global_pooling: true stride: 2",
                "global_pooling takes no pad and no stride"),
        pooling("pooling_stochastic_pad", "pool: STOCHASTIC kernel_size: 3 pad: 1",
                "pool: STOCHASTIC takes no pad, got 1 x 1"),
        one("pooling_of_rows", "Pooling", "pooling_param { kernel_size: 2 }",
            "bottom must be N x C x H x W", "dim: 2 dim: 6"),

        one("inner_product_without_outputs", "InnerProduct", "", "num_output must be positive"),
        one("inner_product_axis", "InnerProduct", "inner_product_param { num_output: 3 axis: 4 }",
            "axis 4 does not exist"),
        one("inner_product_huge", "InnerProduct", "inner_product_param { num_output: 4294967295 }",
            "parameter \"weight\" would be", "dim: 1 dim: 2000000000 dim: 2 dim: 2"),

        one("eltwise_of_one", "Eltwise", "", "takes 2 to"),
        one("eltwise_coefficients", "Eltwise", "bottom: \"x\" eltwise_param { coeff: 1 }",
            "needs one coeff a bottom"),
        one("eltwise_product_coefficients", "Eltwise",
            "bottom: \"x\" eltwise_param { operation: PROD coeff: 1 coeff: 1 }",
            "coeff is for operation SUM"),
        one("concat_axis", "Concat", "concat_param { axis: -5 }", "axis -5 does not exist"),
        one("concat_axis_twice", "Concat", "concat_param { axis: 2 concat_dim: 1 }",
            "either axis or concat_dim"),
        one("dummy_data_twice", "DummyData",
            "dummy_data_param { shape { dim: 2 } num: 2 channels: 1 height: 1 width: 1 }",
            "either shape or num"),
        one("flatten_axes", "Flatten", "flatten_param { axis: 2 end_axis: 1 }",
            "axis 2 lies behind end_axis 1"),
        one("dropout_ratio", "Dropout", "dropout_param { dropout_ratio: 1 }",
            "dropout_ratio must lie in [0, 1)"),
        one("softmax_axis", "Softmax", "softmax_param { axis: 4 }", "axis 4 does not exist"),
        one("scale_axes", "Scale", "scale_param { axis: 3 num_axes: 2 }",
            "num_axes 2 reaches beyond"),
        one("scale_negative_axes", "Scale", "scale_param { num_axes: -2 }", "num_axes -2"),
        one("batch_norm_of_one_axis", "BatchNorm", "", "bottom must have channels on axis 1",
            "dim: 7"),
        one("batch_norm_fraction", "BatchNorm", "batch_norm_param { moving_average_fraction: 1 }",
            "moving_average_fraction must lie in [0, 1)"),
        one("batch_norm_pad", "BatchNorm", "batch_norm_param { pad: 0 }",
            "batch_norm_param.pad is for"),
        one("batch_norm_eps", "BatchNorm", "batch_norm_param { eps: 0 }", "eps must be positive"),

        one("loss_without_labels", "SoftmaxWithLoss", "", "takes two bottoms, scores and labels"),
        one("loss_distributions", "SoftmaxWithLoss", "bottom: \"x\" loss_param { ignore_label: 1 }",
            "ignore_label is for labels"),
        one("loss_smoothing", "SoftmaxWithLoss", "bottom: \"x\" loss_param { label_smoothing: 1 }",
            "label_smoothing must lie in [0, 1)", "dim: 2 dim: 1"),
        one("accuracy_labels", "Accuracy", "bottom: \"x\"", "needs one label a prediction"),
        one("accuracy_without_labels", "Accuracy", "", "takes two bottoms"),

        one("orepa_without_blocks", "ORepaConv",
            "convolution_param { num_output: 3 kernel_size: 3 }",
            "orepa_param needs either a preset or a list of branches"),
        one("orepa_even_kernel", "ORepaConv",
            "convolution_param { num_output: 3 kernel_size: 2 } orepa_param { preset: OREPA }",
            "the kernel must be square and odd"),
        one("orepa_unknown_branch", "ORepaConv",
            "convolution_param { num_output: 3 kernel_size: 3 } orepa_param { branch { type: "
            "\"kxx\" } }",
            "unknown branch type \"kxx\"; did you mean \"kxk\"?"),
        one("orepa_same_branch_twice", "ORepaConv",
            "convolution_param { num_output: 3 kernel_size: 3 } orepa_param { branch { type: "
            "\"kxk\" } branch { type: \"kxk\" } }",
            "two branches are called \"kxk\"")),
    [](const auto& info) { return info.param.name; });

// Extents that are none, or whose product no number can hold, on the layer that states them.
TEST(BadInput, IsRefusedClearly) {
  for (const char* dims : {"dim: 0", "dim: -1", "dim: 3 dim: -2", "dim: 9223372036854775807 dim: 2",
                           "dim: 4000000000 dim: 4000000000 dim: 4000000000"}) {
    const auto device = test_device();
    Parameters parameters(*device, 1, false);
    Arena arena(*device);
    const std::string text =
        std::string("layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { ") +
        dims + " } } }";
    try {
      const Net net(NetSpec::parse(text, "bad.prototxt"), parameters, arena, {});
      FAIL() << dims;
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("every extent must be positive")) << dims;
    }
  }
}

// A net that does not fit fails while it is built, and says how much it wants.
TEST(BadInput, TooLargeForMemory) {
  const auto device = test_device();
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  const NetSpec spec = NetSpec::parse(
      "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { dim: 1 dim: 1 dim: "
      "1000000 "
      "dim: 1000000 } } } layer { name: \"y\" type: \"ReLU\" bottom: \"x\" top: \"y\" }",
      "large.prototxt");
  try {
    const Net net(spec, parameters, arena, {});
    FAIL() << "4 TB were found";
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("out of memory"));
  }
}

}  // namespace
}  // namespace orepa
