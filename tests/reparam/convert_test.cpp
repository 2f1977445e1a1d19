#include "orepa/convert.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <map>

#include "orepa.pb.h"
#include "orepa/net.h"
#include "orepa/weights.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/reparam/random_values.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// What convert() has to get right at once: groups, dilation, a bias before BatchNorm, an ORepaConv
// with a bias and no BatchNorm, a BatchNorm without Scale and one behind no convolution, Dropout,
// pools that round down, fan-out, labels.
constexpr const char* kNet = R"(
layer { name: "data" type: "DummyData" top: "data" top: "label"
  dummy_data_param { shape { dim: 3 dim: 4 dim: 12 dim: 10 } shape { dim: 3 }
    data_filler { type: "gaussian" } data_filler { value: 1 } } }
layer { name: "c1" type: "ORepaConv" bottom: "data" top: "c1"
  convolution_param { num_output: 8 kernel_size: 3 pad: 1 group: 2 }
  orepa_param { preset: OREPA } }
layer { name: "b1" type: "BatchNorm" bottom: "c1" top: "b1" }
layer { name: "s1" type: "Scale" bottom: "b1" top: "s1" scale_param { bias_term: true } }
layer { name: "r1" type: "ReLU" bottom: "s1" top: "s1" }
layer { name: "p1" type: "Pooling" bottom: "s1" top: "p1"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 pad: 1 round_mode: FLOOR } }
layer { name: "c2" type: "Convolution" bottom: "p1" top: "c2"
  convolution_param { num_output: 8 kernel_size: 3 kernel_size: 5 pad: 2 pad: 4 dilation: 2
    weight_filler { type: "gaussian" std: 0.3 } bias_filler { type: "gaussian" } } }
layer { name: "b2" type: "BatchNorm" bottom: "c2" top: "c2" }
layer { name: "c3" type: "ORepaConv" bottom: "p1" top: "c3"
  convolution_param { num_output: 8 kernel_size: 1 bias_filler { type: "gaussian" } }
  orepa_param { preset: OREPA_1X1 } }
layer { name: "sum" type: "Eltwise" bottom: "c2" bottom: "c3" top: "sum" }
layer { name: "b4" type: "BatchNorm" bottom: "sum" top: "b4" }
layer { name: "drop" type: "Dropout" bottom: "b4" top: "drop" }
layer { name: "p2" type: "Pooling" bottom: "drop" top: "p2"
  pooling_param { pool: AVE kernel_size: 2 stride: 2 round_mode: FLOOR } }
layer { name: "ip" type: "InnerProduct" bottom: "p2" top: "ip"
  inner_product_param { num_output: 3 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy"
  include { phase: TEST } }
)";

class ConvertTest : public testing::Test {
 protected:
  ConvertTest() : device_(test_device()), spec_(NetSpec::parse(kNet, "net")) {
    save_trained(spec_);
    options_.output = folder_ + "deploy.prototxt";
    options_.output_weights = folder_ + "deploy.caffemodel";
    options_.output_test = folder_ + "test.prototxt";
  }
  // Weights with statistics and scales that are far from their initial values, and some given by
  // LAYER/NAME.
  void save_trained(const NetSpec& net,
                    const std::map<std::string, std::vector<float>>& values = {}) {
    Parameters parameters(*device_, 3, false);
    Arena arena(*device_);
    const Net built(net, parameters, arena, {});
    fill_as_trained(parameters, 5);
    for (const auto& [name, numbers] : values) {
      const size_t slash = name.find('/');
      parameters.write(*parameters.find(name.substr(0, slash), name.substr(slash + 1)), numbers);
    }
    save_weights(weights_, net, parameters);
  }
  ConvertReport converted(const std::string& text) {
    const NetSpec net = NetSpec::parse(text, "net");
    save_trained(net);
    return convert(net, {weights_}, *device_, options_);
  }
  std::string refusal(const NetSpec& net) {
    return error_of([&] { convert(net, {weights_}, *device_, options_); });
  }
  bool exists(const std::string& path) const { return std::filesystem::exists(path); }

  std::string folder_ = test_folder(), weights_ = folder_ + "trained.caffemodel";
  std::unique_ptr<Device> device_;
  NetSpec spec_;
  ConvertOptions options_;
};

TEST_F(ConvertTest, KeepsTheNetsNumbers) {
  const ConvertReport report = convert(spec_, {weights_}, *device_, options_);
  ASSERT_EQ(report.rows.size(), 2u);
  EXPECT_EQ(report.rows[0].parts, "ORepaConv + BatchNorm + Scale");
  EXPECT_EQ(report.rows[1].layer, "sum");
  EXPECT_EQ(report.rows[1].parts, "2 branches + BatchNorm");
  EXPECT_EQ(report.rows[1].branches[0].parts, "Convolution + BatchNorm");
  EXPECT_EQ(report.rows[1].branches[1].parts, "ORepaConv");
  // Folding is in double; what is left is float32's rounding in another order of operations, some
  // 1e-7 a layer.
  for (const ConvertReport::Row& row : report.rows)
    EXPECT_LE(row.error.value_or(1), 5e-6) << row.layer;
  EXPECT_LE(report.output_error, 5e-6);
  EXPECT_LT(report.parameters_after, report.parameters_before);
}

TEST_F(ConvertTest, WritesWhatStockReadersKnow) {
  convert(spec_, {weights_}, *device_, options_);
  const NetSpec deploy = NetSpec::read(options_.output);
  EXPECT_EQ(deploy.proto().layer(0).type(), "Input");
  EXPECT_EQ(deploy.proto().layer(0).top_size(), 1);
  for (const LayerParameter& layer : deploy.proto().layer()) {
    for (const char* type : {"ORepaConv", "Dropout", "DummyData", "SoftmaxWithLoss", "Accuracy"})
      EXPECT_NE(layer.type(), type) << layer.name();
    EXPECT_FALSE(layer.has_orepa_param()) << layer.name();
    EXPECT_FALSE(layer.pooling_param().has_round_mode()) << layer.name();
    EXPECT_EQ(layer.param_size() + layer.include_size(), 0) << layer.name();
    EXPECT_FALSE(layer.inner_product_param().has_weight_filler()) << layer.name();
    EXPECT_LE(layer.convolution_param().kernel_size_size(), 1) << layer.name();
    EXPECT_LE(layer.convolution_param().pad_size(), 1) << layer.name();
  }
  const NetSpec test = NetSpec::read(options_.output_test);
  EXPECT_EQ(test.proto().layer(0).type(), "DummyData");
}

TEST_F(ConvertTest, WritesOneOnnxFile) {
  ConvertOptions options;
  options.format = ConvertOptions::Format::kOnnx;
  options.output = folder_ + "deploy.onnx";
  options.tolerance = -1;
  EXPECT_THROW(convert(spec_, {weights_}, *device_, options), Error);
  EXPECT_FALSE(exists(options.output));
  options.tolerance = 1e-4;
  EXPECT_LE(convert(spec_, {weights_}, *device_, options).output_error, 5e-6);
  EXPECT_TRUE(exists(options.output));
}

// The proof gives an Embed words, not any numbers.
TEST_F(ConvertTest, LeavesAnEmbedAsItIs) {
  const std::string net = R"(
layer { name: "ids" type: "Input" top: "ids" input_param { shape { dim: 2 dim: 5 } } }
layer { name: "words" type: "Embed" bottom: "ids" top: "words"
  embed_param { input_dim: 7 num_output: 3 } }
layer { name: "ip" type: "InnerProduct" bottom: "words" top: "ip"
  inner_product_param { num_output: 4 } })";
  EXPECT_EQ(converted(net).output_error, 0);
  EXPECT_EQ(NetSpec::read(options_.output).proto().layer(1).type(), "Embed");
  options_.format = ConvertOptions::Format::kOnnx;
  options_.output = folder_ + "deploy.onnx";
  options_.output_weights = options_.output_test = "";
  EXPECT_EQ(converted(net).output_error, 0);
  EXPECT_TRUE(exists(options_.output));
}

TEST_F(ConvertTest, LeavesNoFileBehindWhereTheNetsDiffer) {
  options_.tolerance = -1;  // what no net can keep
  EXPECT_THROW(convert(spec_, {weights_}, *device_, options_), Error);
  for (const std::string& path : {options_.output, options_.output_weights, options_.output_test})
    EXPECT_FALSE(exists(path)) << path;
}

TEST_F(ConvertTest, LeavesEarlierFilesAloneWhereItFails) {
  write_file(options_.output, "an earlier net");
  options_.tolerance = -1;
  EXPECT_THROW(convert(spec_, {weights_}, *device_, options_), Error);
  EXPECT_EQ(std::filesystem::file_size(options_.output), std::string("an earlier net").size());
  options_.tolerance = 1e-4;
  options_.output_weights = folder_ + "nowhere/deploy.caffemodel";
  EXPECT_THROW(convert(spec_, {weights_}, *device_, options_), Error);
  EXPECT_EQ(std::filesystem::file_size(options_.output), std::string("an earlier net").size());
  // Nor any draft: only the weights and the earlier net are there.
  const std::filesystem::directory_iterator files(folder_);
  EXPECT_EQ(std::distance(begin(files), end(files)), 2);
}

TEST_F(ConvertTest, OverwritesNothingThatItReadsOrWrites) {
  const ConvertOptions good = options_;
  options_.output_weights = weights_;
  EXPECT_NE(refusal(spec_).find("is read and would be overwritten"), std::string::npos);
  options_ = good;
  options_.output_test = options_.output;
  EXPECT_NE(refusal(spec_).find("is the name of two outputs"), std::string::npos);
  options_ = good;
  options_.output_weights = folder_ + "deploy.txt";
  EXPECT_NE(refusal(spec_).find("deploy.txt: is no weight file by its name"), std::string::npos);
  options_ = good;
  std::filesystem::create_directory(options_.output_weights);
  EXPECT_NE(refusal(spec_).find("it is a folder"), std::string::npos);
  EXPECT_FALSE(exists(good.output));
}

// Labels from an Input layer of their own.
TEST_F(ConvertTest, LeavesOutLossesAndTheirInputs) {
  const ConvertReport report = converted(R"(
layer { name: "in" type: "Input" top: "data" top: "label"
  input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } shape { dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 4 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" }
layer { name: "accuracy" type: "Accuracy" bottom: "ip" bottom: "label" top: "accuracy" }
)");
  EXPECT_LE(report.output_error, 5e-6);
  const NetSpec deploy = NetSpec::read(options_.output);
  ASSERT_EQ(deploy.proto().layer_size(), 2);
  EXPECT_EQ(deploy.proto().layer(0).top_size(), 1);
  EXPECT_EQ(deploy.proto().layer(0).input_param().shape_size(), 1);
  EXPECT_EQ(deploy.proto().layer(1).type(), "InnerProduct");
}

// The trained net has no blob of the convolutions' sum alone.
TEST_F(ConvertTest, MergesSomeTermsOfASum) {
  const ConvertReport report = converted(R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }
layer { name: "y" type: "TanH" bottom: "x" top: "y" }
layer { name: "a" type: "Convolution" bottom: "x" top: "a"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
layer { name: "b" type: "Convolution" bottom: "x" top: "b"
  convolution_param { num_output: 3 kernel_size: 1 } }
layer { name: "sum" type: "Eltwise" bottom: "a" bottom: "y" bottom: "b" top: "sum" }
)");
  EXPECT_LE(report.output_error, 5e-6);
  ASSERT_EQ(report.rows.size(), 1u);
  EXPECT_EQ(report.rows[0].parts, "2 branches");
  EXPECT_FALSE(report.rows[0].error.has_value());
}

// What stays names the deploy net's output by another name: the Input's own is still read later.
TEST_F(ConvertTest, ComparesOutputsThatHadToBeRenamed) {
  const ConvertReport report = converted(R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a"
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
layer { name: "relu" type: "ReLU" bottom: "x" top: "x" }
layer { name: "n" type: "BatchNorm" bottom: "a" top: "n" }
)");
  EXPECT_LE(report.output_error, 5e-6);
  EXPECT_EQ(NetSpec::read(options_.output).proto().layer_size(), 3);
}

// The last step of both nets is a Softmax in the place of what it reads: the two were compared
// behind it, where nothing differs.
TEST_F(ConvertTest, ComparesTheLayerBeforeTheLastOne) {
  const NetSpec net = NetSpec::parse(R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 5 dim: 5 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c" convolution_param { num_output: 2 kernel_size: 5 } }
layer { name: "b" type: "BatchNorm" bottom: "c" top: "b" }
layer { name: "prob" type: "Softmax" bottom: "b" top: "prob" }
)",
                                     "net");
  save_trained(
      net,
      {{"c/bias", {3e6f, -3e6f}}, {"b/mean", {3e6f - 200, -3e6f + 200}}, {"b/variance", {1, 1}}});
  EXPECT_NE(refusal(net).find("the merged layer \"c\" differs by"), std::string::npos)
      << refusal(net);
}

// A Softmax that is all 0 and 1 hides that 3e6 + x - 3e6 is not x.
TEST_F(ConvertTest, RefusesALayerThatDiffersThoughTheOutputsAreEqual) {
  const NetSpec net = NetSpec::parse(R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 3 kernel_size: 1 bias_filler { value: 3e6 } } }
layer { name: "b" type: "BatchNorm" bottom: "c" top: "b" }
layer { name: "relu" type: "ReLU" bottom: "b" top: "relu" }
layer { name: "ip" type: "InnerProduct" bottom: "relu" top: "ip" inner_product_param { num_output: 2 } }
layer { name: "prob" type: "Softmax" bottom: "ip" top: "prob" }
)",
                                     "net");
  std::map<std::string, std::vector<float>> values = {{"c/bias", {3e6f, 3e6f, 3e6f}},
                                                      {"b/mean", {3e6f, 3e6f, 3e6f}},
                                                      {"b/variance", {1, 1, 1}},
                                                      {"ip/bias", {3e5f, -3e5f}}};
  save_trained(net, values);
  EXPECT_NE(refusal(net).find("the merged layer \"c\" differs by"), std::string::npos)
      << refusal(net);
  values["b/variance"] = {1, -1, 1};
  save_trained(net, values);
  EXPECT_NE(refusal(net).find("\"c/weight\" has numbers that are not finite"), std::string::npos)
      << refusal(net);
  EXPECT_FALSE(exists(options_.output));
}

// Behind a ReLU in place, nothing is left of what differs: all of it is negative.
TEST_F(ConvertTest, ComparesWhatALayerInPlaceWritesOver) {
  const NetSpec net = NetSpec::parse(R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 3 dim: 5 dim: 5 } } }
layer { name: "c" type: "Convolution" bottom: "x" top: "c"
  convolution_param { num_output: 3 kernel_size: 1 bias_filler { value: 3e6 } } }
layer { name: "b" type: "BatchNorm" bottom: "c" top: "c" }
layer { name: "r" type: "ReLU" bottom: "c" top: "c" }
)",
                                     "net");
  const float shift = 3e6f + 100;
  save_trained(net, {{"c/bias", {3e6f, 3e6f, 3e6f}},
                     {"b/mean", {shift, shift, shift}},
                     {"b/variance", {1, 1, 1}}});
  EXPECT_NE(refusal(net).find("the merged layer \"c\" differs by"), std::string::npos);
}

// The Input is called after its top, a pool at stride 1 after the pool.
// Caffe reads no inner_product_param in a layer of another type.
TEST_F(ConvertTest, LeavesMessagesOfOtherTypesAlone) {
  EXPECT_EQ(converted(R"(
    layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 3 dim: 8 } }
            inner_product_param { transpose: true } }
    layer { name: "fc" type: "InnerProduct" bottom: "x" top: "y"
            inner_product_param { num_output: 5 transpose: true } })")
                .parameters_after,
            45);
}

TEST_F(ConvertTest, CallsNewLayersByNamesThatAreNotInUse) {
  const ConvertReport report = converted(R"(
layer { name: "images" type: "DummyData" top: "data"
  dummy_data_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } data_filler { type: "gaussian" } } }
layer { name: "data" type: "ReLU" bottom: "data" top: "p_stride1" }
layer { name: "p" type: "Pooling" bottom: "p_stride1" top: "p"
  pooling_param { pool: MAX kernel_size: 3 stride: 2 round_mode: FLOOR } }
layer { name: "sum" type: "Eltwise" bottom: "p_stride1" bottom: "p_stride1" top: "sum" }
)");
  EXPECT_EQ(report.output_error, 0);
  const NetSpec deploy = NetSpec::read(options_.output);
  ASSERT_EQ(deploy.proto().layer_size(), 5);
  EXPECT_EQ(deploy.proto().layer(0).name(), "data_2");
  EXPECT_EQ(deploy.proto().layer(0).top(0), "data");
  EXPECT_EQ(deploy.proto().layer(2).name(), "p_stride1_2");
  EXPECT_EQ(deploy.proto().layer(3).bottom(0), "p_stride1_2");
}

TEST_F(ConvertTest, NeedsEveryWeight) {
  const NetSpec larger = NetSpec::parse(
      std::string(kNet) +
          "layer { name: \"more\" type: \"InnerProduct\" bottom: \"ip\" top: \"more\" "
          "inner_product_param { num_output: 2 } }",
      "net");
  EXPECT_THROW(convert(larger, {weights_}, *device_, options_), Error);
  EXPECT_FALSE(exists(options_.output));
}

}  // namespace
}  // namespace orepa
