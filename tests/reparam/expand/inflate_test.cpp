// reparam with weights: the block starts as the given convolution, and trains on.
#include <google/protobuf/util/message_differencer.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "orepa.pb.h"
#include "orepa/convert.h"
#include "orepa/error.h"
#include "orepa/net.h"
#include "orepa/reparam.h"
#include "orepa/weights.h"
#include "tests/comparison.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/reparam/expand/plain_net.h"
#include "tests/reparam/random_values.h"
#include "tests/test_device.h"
#include "tests/training.h"

namespace orepa {
namespace {

class Inflate : public testing::Test {
 protected:
  Inflate() : device_(test_device({Algorithm::kDirect})), net_(plain_net()) {
    Parameters parameters(*device_, 3, false);
    Arena arena(*device_);
    const Net built(net_, parameters, arena, {});
    fill_as_trained(parameters, 5);
    save_weights(trained_, net_, parameters);
    files_.weights = {trained_};
    files_.output = folder_ + "blocks.prototxt";
    files_.output_weights = folder_ + "blocks.caffemodel";
  }
  ReparamReport reparam(const NetSpec& net, const std::string& style = "orepa") {
    return reparam_files(net, {style, "", ""}, files_, *device_);
  }

  std::string folder_ = test_folder();
  std::string trained_ = folder_ + "plain.caffemodel";
  std::unique_ptr<Device> device_;
  NetSpec net_;
  ReparamFiles files_;
};

class InflateAs : public Inflate, public testing::WithParamInterface<std::string> {};

// What is left is float32's rounding of the sum of the branches, and of what it meets later.
constexpr double kRounding = 5e-6;

TEST_P(InflateAs, StartsAsTheTrainedNet) {
  const ReparamReport report = reparam(net_, GetParam());
  EXPECT_GE(report.values_compared, 27);
  EXPECT_LE(report.largest_error, kRounding) << report.largest_error_value;
  for (const ReparamReport::Row& row : report.rows) {
    EXPECT_EQ(row.error.has_value(), !row.became.empty()) << row.layer;
    EXPECT_LE(row.error.value_or(0), kRounding) << row.layer;
  }
}

// Of a deploy net: convolutions with a bias and no BatchNorm.
TEST_P(InflateAs, StartsAsTheConvertedNet) {
  ConvertOptions options;
  options.output = folder_ + "deploy.prototxt";
  options.output_weights = folder_ + "deploy.caffemodel";
  files_.weights = {options.output_weights};
  convert(net_, {trained_}, *device_, options);
  const ReparamReport report = reparam(NetSpec::read(options.output), GetParam());
  EXPECT_GT(report.rewritten(), 4);
  EXPECT_LE(report.largest_error, kRounding) << report.largest_error_value;
}

// What convert makes of the blocks is what it makes of the plain net.
TEST_P(InflateAs, ConvertsBackToThePlainNet) {
  reparam(net_, GetParam());
  const auto deployed = [&](const NetSpec& net, const std::string& weights,
                            const std::string& name) {
    ConvertOptions options;
    options.output = folder_ + name + ".prototxt";
    options.output_weights = folder_ + name + ".caffemodel";
    convert(net, {weights}, *device_, options);
    return NetSpec::read(options.output);
  };
  const NetSpec plain = deployed(net_, trained_, "plain_deploy");
  const NetSpec blocks =
      deployed(NetSpec::read(files_.output), files_.output_weights, "blocks_deploy");
  std::string differences;
  google::protobuf::util::MessageDifferencer differencer;
  // A bias_term may be said or be the default.
  differencer.set_message_field_comparison(google::protobuf::util::MessageDifferencer::EQUIVALENT);
  differencer.ReportDifferencesToString(&differences);
  EXPECT_TRUE(differencer.Compare(plain.proto(), blocks.proto())) << differences;
  Parameters first(*device_, 0, false), second(*device_, 1, false);
  Arena arena(*device_);
  const Net a(plain, first, arena, {}), b(blocks, second, arena, {});
  load_weights({folder_ + "plain_deploy.caffemodel"}, first, true);
  load_weights({folder_ + "blocks_deploy.caffemodel"}, second, true);
  for (const auto& parameter : first.all()) {
    const std::vector<float> wanted = first.read(*parameter);
    const std::vector<float> got = second.read(*second.find(parameter->layer, parameter->name));
    EXPECT_LE(largest_difference(got, wanted), 5e-6f * largest(wanted)) << parameter->path();
  }
}

// A few steps of training from a file.
struct ShortRun {
  ShortRun(const std::string& net, const std::string& weights)
      : training("net: \"" + net + "\" base_lr: 0.01 momentum: 0.9 max_iter: 4") {
    load_weights({weights}, training->parameters(), true);
    zeros_before = zero_scales();
    for (int i = 0; i < 4; ++i) losses.push_back(training->step());
  }
  // Scale layers that multiply by 0.
  int zero_scales() {
    int count = 0;
    for (const auto& parameter : training->parameters().all())
      if (parameter->name == "scale" && !parameter->factor)
        count += largest(training->parameters().read(*parameter)) == 0;
    return count;
  }
  Training training;
  int zeros_before = 0;
  std::vector<double> losses;
};

// In training mode too, with the statistics of the batch; and from there every branch learns.
TEST_P(InflateAs, TrainsOnFromThere) {
  reparam(net_, GetParam());
  net_.write(folder_ + "plain.prototxt");
  const ShortRun plain(folder_ + "plain.prototxt", trained_);
  ShortRun blocks(files_.output, files_.output_weights);
  EXPECT_NEAR(blocks.losses[0], plain.losses[0], 1e-5 * plain.losses[0]);
  EXPECT_NE(blocks.losses[3], plain.losses[3]);
  EXPECT_LT(blocks.losses[3], blocks.losses[0]);
  EXPECT_EQ(blocks.zeros_before > 0, GetParam() != "orepa");
  EXPECT_EQ(blocks.zero_scales(), 0);
}

INSTANTIATE_TEST_SUITE_P(Styles, InflateAs, testing::ValuesIn(reparam_styles()),
                         [](const auto& info) { return info.param; });

TEST_F(Inflate, SaysWhatAChainCannotExpress) {
  const ReparamReport report = reparam(net_);
  EXPECT_EQ(report.rows[0].layer, "stem");
  EXPECT_EQ(report.rows[0].note,
            "its chain has a kxk branch beside it, which makes it start as the given kernel");
  EXPECT_EQ(report.rows[1].note, "");
  const NetSpec written = NetSpec::read(files_.output);
  const OrepaParameter& stem = written.proto().layer(2).orepa_param();
  EXPECT_EQ(stem.branch(0).kernel_size(), 3);
  EXPECT_EQ(stem.branch(1).type(), "kxk");
}

TEST_F(Inflate, WantsEveryWeightAndNoOther) {
  const auto message = [&](const std::string& more) {
    return error_of([&] { reparam(NetSpec::parse(kPlainNet + more, "net.prototxt")); });
  };
  EXPECT_NE(message("layer { name: \"more\" type: \"InnerProduct\" bottom: \"ip\" top: \"more\""
                    "  inner_product_param { num_output: 2 } }")
                .find("missing    more/weight"),
            std::string::npos);
  const NetSpec stem = NetSpec::parse(
      "input: \"data\" input_shape { dim: 1 dim: 3 dim: 24 dim: 20 }"
      "layer { name: \"stem\" type: \"Convolution\" bottom: \"data\" top: \"stem\""
      "  convolution_param { num_output: 8 kernel_size: 7 bias_term: false } }",
      "net.prototxt");
  EXPECT_NE(error_of([&] { reparam(stem); }).find("unused     same/"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(files_.output));
  EXPECT_FALSE(std::filesystem::exists(files_.output_weights));
}

TEST_F(Inflate, LeavesNoFileWhereTheNetsDiffer) {
  files_.tolerance = -1;  // what no net can keep
  EXPECT_NE(error_of([&] { reparam(net_); }).find("no file was written"), std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(files_.output));
  EXPECT_FALSE(std::filesystem::exists(files_.output_weights));
}

TEST_F(Inflate, WritesNothingWhereNothingIsRewritten) {
  const ReparamReport report = reparam_files(net_, {"orepa", "", ".*"}, files_, *device_);
  EXPECT_EQ(report.rewritten(), 0);
  EXPECT_FALSE(std::filesystem::exists(files_.output));
}

// A head for training alone has its weights in the file too.
TEST_F(Inflate, TakesLayersOfPhaseTrainAlong) {
  const NetSpec net = NetSpec::parse(
      std::string(kPlainNet) +
          "layer { name: \"head\" type: \"Convolution\" bottom: \"strided\" top: \"head\""
          "  include { phase: TRAIN } convolution_param { num_output: 8 kernel_size: 3 } }",
      "net.prototxt");
  {
    Parameters parameters(*device_, 3, false);
    Arena arena(*device_);
    NetOptions train;
    train.phase = Phase::kTrain;
    const Net built(net, parameters, arena, train);
    fill_as_trained(parameters, 5);
    save_weights(trained_, net, parameters);
  }
  const ReparamReport report = reparam(net);
  EXPECT_LE(report.largest_error, kRounding) << report.largest_error_value;
  EXPECT_EQ(report.rows.back().layer, "head");
  EXPECT_FALSE(report.rows.back().error.has_value());
  // What the head makes of its branches is its old kernel.
  Parameters given(*device_, 0, false), made(*device_, 0, false);
  Arena arena(*device_);
  NetOptions train;
  train.phase = Phase::kTrain;
  const Net old(net, given, arena, train);
  load_weights(files_.weights, given, true);
  Net blocks(NetSpec::read(files_.output), made, arena, train);
  load_weights({files_.output_weights}, made, true);
  blocks.prepare();
  const std::vector<float> wanted = given.read(*given.find("head", "weight"));
  EXPECT_LE(largest_difference(made.read(*made.find("head", "weight")), wanted),
            1e-6f * largest(wanted));
}

}  // namespace
}  // namespace orepa
