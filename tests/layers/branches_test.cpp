// What the blocks of an ORepaConv are called, start as, and refuse. Their arithmetic is held by the
// harness's rows and by golden_blocks_test.
#include <gtest/gtest.h>

#include "tests/layers/layer_bench.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

class Branches : public testing::Test {
 protected:
  LayerBench bench(const std::string& convolution, const std::string& blocks,
                   const Shape& x = {1, 4, 5, 5}) {
    return LayerBench(*device_,
                      "layer { name: 'it' type: 'ORepaConv' top: 'y'\n convolution_param { " +
                          convolution + " }\n orepa_param { " + blocks + " } }",
                      {x}, {});
  }
  std::vector<std::string> names(const LayerBench& bench) const {
    std::vector<std::string> names;
    for (const Parameter* parameter : bench.parameters()) names.push_back(parameter->name);
    return names;
  }
  void expect_refused(const std::string& convolution, const std::string& blocks,
                      const std::string& message) {
    try {
      bench(convolution, blocks);
      ADD_FAILURE() << blocks << " was accepted";
    } catch (const Error& error) {
      const std::string what = error.what();
      EXPECT_NE(what.find(message), std::string::npos) << what;
      EXPECT_NE(what.find("bench:"), std::string::npos) << "no place in: " << what;
      EXPECT_NE(what.find("layer \"it\" (ORepaConv)"), std::string::npos) << what;
    }
  }

  const std::unique_ptr<Device> device_ = test_device();
  const std::string k3_ = "num_output: 6 kernel_size: 3 pad: 1 bias_term: false";
};

using Names = std::vector<std::string>;

TEST_F(Branches, ParametersStandInTheOrderOfFiles) {
  EXPECT_EQ(
      names(bench("num_output: 6 kernel_size: 3", "preset: OREPA")),
      (Names{"kxk.weight", "kxk.scale", "avg.weight", "avg.scale", "prior.weight", "prior.scale",
             "1x1_kxk.pointwise", "1x1_kxk.weight", "1x1_kxk.scale", "1x1.weight", "1x1.scale",
             "dw_pw.depthwise", "dw_pw.pointwise", "dw_pw.scale", "bias"}));
  EXPECT_EQ(names(bench("num_output: 6 kernel_size: 1 bias_term: false", "preset: OREPA_1X1")),
            (Names{"kxk.weight", "kxk.scale", "1x1_1x1.first", "1x1_1x1.second", "1x1_1x1.scale"}));
  EXPECT_EQ(names(bench("num_output: 6 kernel_size: 5 pad: 2 bias_term: false",
                        "branch { type: 'chain' kernel { branch { type: 'kxk' } } kernel {} }")),
            (Names{"0.kxk.weight", "0.kxk.scale", "1.weight"}));
  EXPECT_EQ(names(bench(k3_, "branch { type: '1x1' } branch { type: '1x1' name: 'more' }")),
            (Names{"1x1.weight", "1x1.scale", "more.weight", "more.scale"}));
}

TEST_F(Branches, MiddleChannelsFollowThePublishedRule) {
  const auto middle = [&](const std::string& group, const std::string& blocks) {
    const LayerBench made =
        bench("num_output: 16 kernel_size: 3 group: " + group, blocks, {1, 16, 3, 3});
    for (const Parameter* parameter : made.parameters())
      if (parameter->name == "1x1_kxk.pointwise") return parameter->value.shape[0];
    return int64_t{0};
  };
  EXPECT_EQ(middle("4", "preset: OREPA"), 16);
  EXPECT_EQ(middle("8", "preset: OREPA"), 32);
  EXPECT_EQ(middle("8", "preset: OREPA_VGG"), 16);
  EXPECT_EQ(middle("16", "preset: OREPA_VGG"), 32);
  EXPECT_EQ(middle("8", "branch { type: '1x1_kxk' middle_channels: 24 }"), 24);
}

TEST_F(Branches, StartAsThePresetSays) {
  const LayerBench made = bench(k3_, "preset: OREPA");
  const std::vector<float> scales = {0.25f, 0.25f, 0, 0.5f, 1, 0.5f};
  size_t scale = 0;
  for (size_t p = 0; p < made.parameters().size(); ++p) {
    const std::string& name = made.parameters()[p]->name;
    const Values& values = made.parameter(static_cast<int>(p));
    if (name.ends_with(".scale"))
      EXPECT_EQ(values, Values(values.size(), scales.at(scale++))) << name;
    else if (name == "1x1_kxk.pointwise")
      EXPECT_EQ(values, Values(values.size(), 0.0f)) << name;
    else
      EXPECT_NE(values, Values(values.size(), values[0])) << name;
  }
  EXPECT_EQ(scale, scales.size());
}

TEST_F(Branches, OneOfTwoPointwiseFactorsStartsAsTheIdentity) {
  for (const auto& [outputs, identity] : {std::pair{6, 2}, std::pair{3, 3}}) {
    const LayerBench made =
        bench(text("num_output: ", outputs, " kernel_size: 1"), "preset: OREPA_1X1");
    const Shape& shape = made.parameters()[identity]->value.shape;
    for (int64_t r = 0; r < shape[0]; ++r)
      for (int64_t c = 0; c < shape[1]; ++c)
        EXPECT_EQ(made.parameter(identity)[r * shape[1] + c], r == c ? 1 : 0) << r << ", " << c;
  }
}

TEST_F(Branches, RefuseWhatTheyAreNotMadeFor) {
  const std::string k1 = "num_output: 6 kernel_size: 1", k5 = "num_output: 6 kernel_size: 5 pad: 2";
  expect_refused("num_output: 6 kernel_size: 2", "preset: OREPA", "square and odd, from 1 to 11");
  expect_refused("num_output: 6 kernel_size: 13 pad: 6", "preset: OREPA", "got 13 x 13");
  expect_refused("num_output: 6 kernel_h: 3 kernel_w: 1", "preset: OREPA", "got 3 x 1");
  expect_refused(k3_, "preset: OREPA_1X1", "kernel_size 1 and group 1");
  expect_refused(k1, "preset: OREPA_VGG", "kernel_size 3");
  expect_refused(k3_, "preset: LARGE_BASE", "kernel_size 5 or more");
  expect_refused(k3_, "branch { type: '1x1_1x1' }", "kernel_size 1 and group 1");
  expect_refused(k3_, "branch { type: 'chain' kernel {} }", "kernel_size 5 or more");
  expect_refused(k5, "branch { type: 'chain' kernel {} }", "needs 2 kernels of 3 x 3, got 1");
  expect_refused(k3_ + " group: 2", "branch { type: '1x1_kxk' middle_channels: 3 }",
                 "multiple of group 2, got 3");
  expect_refused(k3_, "branch { type: 'dw_pw' expansion: 0 }", "expansion must be positive, got 0");
}

TEST_F(Branches, RefuseWhatNobodyCanMean) {
  expect_refused(k3_, "", "either a preset or a list of branches");
  expect_refused(k3_, "preset: OREPA branch { type: 'kxk' }",
                 "either a preset or a list of branches");
  expect_refused(k3_, "branch { scale: 1 }", "needs a type");
  expect_refused(k3_, "branch { type: 'dw_wp' }", "\"dw_pw\"");
  expect_refused(k3_, "branch { type: 'kxk' } branch { type: 'kxk' }",
                 "give the second one a name of its own");
  expect_refused(k3_, "branch { type: 'kxk' name: 'a/b' }", "cannot be called \"a/b\"");
  expect_refused(k3_, "branch { type: 'kxk' middle_channels: 8 }", "has no middle_channels");
  expect_refused(k3_, "branch { type: 'avg' expansion: 8 }", "has no expansion");
  expect_refused(k3_, "branch { type: '1x1' kernel {} }", "has no kernel");
  expect_refused("num_output: 6 kernel_size: 5", "branch { type: 'chain' scale: 2 }",
                 "has no scale");
}

}  // namespace
}  // namespace orepa
