// What layers that move numbers get where they cannot be: an Error that says where they stand, what
// was wrong and what fits.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "orepa/net.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

const std::string kOneImage = "dim: 2 dim: 6 dim: 5 dim: 5";

struct Refusal {
  std::string type, fields, expected;
  std::vector<std::string> bottoms = {kOneImage};
  std::string tops = "top: \"y\"";
};

void PrintTo(const Refusal& bad, std::ostream* out) { *out << bad.type << " " << bad.fields; }

std::string error_of_net(const Refusal& bad) {
  std::string inputs, bottoms;
  for (const std::string& dims : bad.bottoms) {
    const std::string name = text("x", inputs.size());
    inputs += text("layer { name: \"", name, "\" type: \"Input\" top: \"", name,
                   "\" input_param { shape { ", dims, " } } } ");
    bottoms += text("bottom: \"", name, "\" ");
  }
  const std::string net = text(inputs, "\nlayer { name: \"it\" type: \"", bad.type, "\" ", bottoms,
                               bad.tops, " ", bad.fields, " }");
  const auto device = test_device();
  Parameters parameters(*device, 1, true);
  Arena arena(*device);
  return error_of([&] { Net(NetSpec::parse(net, "bad.prototxt"), parameters, arena, {}); });
}

class BadShapes : public testing::TestWithParam<Refusal> {};

TEST_P(BadShapes, AreRefusedClearly) {
  const std::string error = error_of_net(GetParam());
  EXPECT_THAT(error,
              testing::HasSubstr("layer \"it\" (" + GetParam().type + "): " + GetParam().expected));
  EXPECT_THAT(error, testing::StartsWith("bad.prototxt:2:"));
}

const std::string kTwoTops = "top: \"y\" top: \"z\"";
const std::vector<std::string> kRows = {"dim: 3 dim: 5"};

std::vector<std::string> two(const std::string& second) { return {kOneImage, second}; }

std::vector<Refusal> refusals() {
  return {
      {"Slice", "slice_param { axis: 4 }", "axis 4 does not exist"},
      {"Slice", "slice_param { axis: 2 slice_dim: 2 }", "either axis or slice_dim"},
      {"Slice",
       "slice_param { axis: 2 }",
       "cannot cut 5 into 2 equal parts",
       {kOneImage},
       kTwoTops},
      {"Slice", "slice_param { slice_point: 2 }", "needs one slice_point less than 1 tops, got 1"},
      {"Slice",
       "slice_param { slice_point: 6 }",
       "every slice_point must be larger than the one before and smaller than 6; got 6 behind 6",
       {kOneImage},
       kTwoTops},
      {"Slice", "", "names no top", {kOneImage}, ""},
      {"Split", "", "names no top", {kOneImage}, ""},
      {"Silence", "", "has 0 bottoms, but needs at least 1", {}, ""},
      {"Reshape", "reshape_param { axis: 5 }", "axis 5 does not exist"},
      {"Reshape", "reshape_param { axis: 2 num_axes: 3 }", "num_axes 3 from axis 2 on"},
      {"Reshape", "reshape_param { shape { dim: -2 } }", "dim -2 is no extent"},
      {"Reshape", "reshape_param { shape { dim: -1 dim: -1 } }", "only one dim can be -1"},
      {"Reshape", "reshape_param { shape { dim: 7 dim: -1 } }", "the 300 numbers of the bottom"},
      {"Reshape", "reshape_param { shape { dim: 2 dim: 6 dim: 5 } }", "the bottom 2 x 6 x 5 x 5"},
      {"Reshape", "reshape_param { shape { dim: 3 dim: 5 dim: 0 } }", "dim 2 is 0", kRows},
      {"Reshape", "reshape_param { shape { dim: 9223372036854775807 dim: 9223372036854775807 } }",
       "the 15 numbers of the bottom", kRows},
      {"Deconvolution", "convolution_param { num_output: 3 kernel_size: 3 pad: 8 }",
       "pad 8 x 8 leaves nothing"},
      {"Deconvolution", "convolution_param { num_output: 3 kernel_size: 3 group: 4 }",
       "group must divide"},
      {"Deconvolution", "convolution_param { kernel_size: 3 }", "num_output must be positive"},
      {"Deconvolution", "convolution_param { num_output: 3 }", "kernel_size must be positive"},
      {"Deconvolution", "convolution_param { num_output: 3 kernel_size: 3 }",
       "kernel_size needs an axis behind that of the channels", kRows},
      {"Deconvolution", "convolution_param { num_output: 3 kernel_size: 3 }",
       "bottom 1 must be as bottom 0, 2 x 6 x 5 x 5, got 2 x 6 x 5 x 6",
       two("dim: 2 dim: 6 dim: 5 dim: 6"), kTwoTops},
      {"Im2col", "convolution_param { kernel_size: 3 }",
       "needs an axis behind that of the channels", kRows},
      {"Im2col", "convolution_param { axis: 4 kernel_size: 3 }", "axis 4 does not exist"},
      {"Im2col",
       "convolution_param { kernel_size: 1 }",
       "takes at most 8 axes beside that of the channels, got 1 x 1 x",
       {"dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1 dim: 1"}},
      {"Deconvolution",
       "convolution_param { num_output: 1 kernel_size: 1000000000 stride: 1000000000 }",
       "a top would be 2 x 1 x 5000000000 x 5000000000"},
      {"Crop", "", "takes two bottoms"},
      {"Crop", "crop_param { axis: 7 }", "axis 7 does not exist", two("dim: 1 dim: 1")},
      {"Crop", "", "bottom 1 must have as many axes", two("dim: 1 dim: 1")},
      {"Crop", "crop_param { offset: 3 }", "offset 3 and 3 numbers along axis 2 reach beyond",
       two("dim: 1 dim: 1 dim: 3 dim: 2")},
      {"Crop", "crop_param { axis: 1 offset: 0 offset: 0 }", "needs one offset for all 3 axes",
       two("dim: 1 dim: 1 dim: 3 dim: 2")},
      {"Permute", "permute_param { order: 4 }", "permute_param.order must name axes"},
      {"Permute", "permute_param { order: 1 order: 1 }", "permute_param.order must name axes"},
      {"Permute",
       "permute_param { order: 9 order: 8 order: 7 order: 6 order: 5 order: 4 order: 3 order: 2 "
       "order: 1 order: 0 }",
       "numbers are to be moved along 10 axes at once",
       {"dim: 2 dim: 2 dim: 2 dim: 2 dim: 2 dim: 2 dim: 2 dim: 2 dim: 2 dim: 2"}},
      {"Tile", "tile_param { axis: 4 tiles: 2 }", "axis 4 does not exist"},
      {"Tile", "", "tiles must be positive, got 0"},
      {"Tile", "tile_param { tiles: 2147483647 }", "an output would be 2 x 12884901882 x 5"},
      {"Tile",
       "tile_param { axis: 0 tiles: 2147483647 }",
       "a tensor would be 4611686011984936962",
       {"dim: 2147483646 dim: 512"}},
      {"ShuffleChannel", "shuffle_channel_param { group: 4 }", "group must divide the 6 channels"},
      {"ShuffleChannel", "shuffle_channel_param { group: 0 }", "group must divide the 6 channels"},
      {"ShuffleChannel", "", "bottom must have channels on axis 1", {"dim: 3"}},
      {"ArgMax", "argmax_param { axis: 4 }", "axis 4 does not exist"},
      {"ArgMax", "argmax_param { top_k: 0 }", "top_k must lie between 1 and the 150 numbers"},
      {"ArgMax", "argmax_param { axis: 1 top_k: 7 }", "top_k must lie between 1 and the 6 numbers"},
      {"Reduction", "reduction_param { axis: 4 }", "axis 4 does not exist"},
      {"BatchReindex", "", "takes two bottoms"},
      {"BatchReindex", "", "bottom 1 must have one axis, got 2 x 1", two("dim: 2 dim: 1")},
      {"Parameter", "", "needs parameter_param.shape", {}},
      {"Parameter", "parameter_param { shape { dim: 0 } }", "parameter \"value\" would be 0", {}},
      {"Im2col", "convolution_param { kernel_size: 6 }", "the kernel 6 x 6 (dilated) is larger"},
      {"Im2col", "", "kernel_size must be positive"},
      {"Interp", "", "needs either height and width or factors"},
      {"Interp", "interp_param { height: 3 }", "needs either height and width or factors"},
      {"Interp", "interp_param { height: 3 width: 3 zoom_factor: 2 }", "needs either height"},
      {"Interp", "interp_param { height: 0 width: 3 }", "height must be positive, got 0"},
      {"Interp", "interp_param { zoom_factor: -1 }", "zoom_factor must be positive, got -1"},
      {"Interp", "interp_param { zoom_factor: 2 pad_end: 1 }", "pad_end must be 0 or less"},
      {"Interp", "interp_param { zoom_factor: 2 pad_beg: -3 pad_end: -2 }",
       "pad_beg and pad_end leave nothing"},
      {"Interp", "interp_param { zoom_factor: 2 }", "bottom must be N x C x H x W", kRows},
      {"SPP", "", "pyramid_height must lie between 1 and 16, got 0"},
      {"SPP", "spp_param { pyramid_height: 3 }", "cannot cut the bottom 2 x 6 x 5 x 5 into 4 x 4"},
      {"SPP", "spp_param { pyramid_height: 1 }", "bottom must be N x C x H x W", kRows},
      {"Filter", "", "the size of its tops depends on its numbers", two("dim: 2")},
      {"Upsample", "upsample_param { scale: 0 }", "scale must be positive"},
      {"Upsample", "", "bottom must be N x C x H x W", kRows},
      {"Upsample", "upsample_param { upsample_h: 9 }", "upsample_h needs a second bottom"},
      {"Upsample", "", "bottom 1, a mask, must be as bottom 0, 2 x 6 x 5 x 5, got 2 x 6 x 5 x 4",
       two("dim: 2 dim: 6 dim: 5 dim: 4")},
      {"Upsample", "", "takes one bottom, or two", {kOneImage, kOneImage, kOneImage}},
      {"Upsample", "upsample_param { scale: 2 scale_w: 3 }", "takes either scale, or scale_h",
       two(kOneImage)},
      {"Upsample", "upsample_param { scale_h: 0 }", "scale_h must be positive, got 0",
       two(kOneImage)},
      {"Upsample", "upsample_param { scale: 1 upsample_w: 0 }",
       "the top would have 0 pixels along w", two(kOneImage)},
  };
}

INSTANTIATE_TEST_SUITE_P(Rows, BadShapes, testing::ValuesIn(refusals()), [](const auto& info) {
  return info.param.type + "_" + std::to_string(info.index);
});

}  // namespace
}  // namespace orepa
