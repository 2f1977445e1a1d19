// Whole blocks against values of the published PyTorch implementation (tests/golden/blocks; ACNet
// and grouped DBB against PyTorch's layers, tests/golden/blocks/make.py): forward, input gradient,
// every parameter's gradient, running statistics, inference, and the merged kernel and bias.
// reparam() makes the blocks out of a plain convolution.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "io/published/published_tensors.h"
#include "orepa/net.h"
#include "orepa/reparam.h"
#include "orepa/tensor_file.h"
#include "reparam/deploy.h"
#include "reparam/merge.h"
#include "tests/comparison.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// What the reference itself loses in float32, with room for another order of summation: measured
// against a float64 evaluation it is 7e-7 at most. Winograd's transforms cost about one digit more.
constexpr double kDirect = 2e-5, kWinograd = 5e-5;

struct Block {
  std::string file;
  Algorithm algorithm;
};

std::string name_of(const testing::TestParamInfo<Block>& info) {
  return info.param.file + (info.param.algorithm == Algorithm::kDirect ? "_direct" : "_auto");
}

// A layer's geometry and its place in the file.
class GoldenBlock : public testing::TestWithParam<Block> {
 protected:
  GoldenBlock()
      : file_(source_file("tests/golden/blocks/") + GetParam().file + ".h5"),
        block_(file_.string("/", "block")),
        tolerance_(GetParam().algorithm == Algorithm::kDirect ? kDirect : kWinograd),
        device_(test_device({GetParam().algorithm})),
        spec_(net()) {}

  int64_t attribute(const std::string& name, int64_t fallback) const {
    return file_.has_attribute("/", name) ? static_cast<int64_t>(file_.number("/", name))
                                          : fallback;
  }
  bool is_vgg() const { return block_.starts_with("RepVGG"); }

  // A convolution "block" with its BatchNorm and Scale, and the ReLU that RepVGG counts in.
  std::string prototxt() const {
    const bool chain = block_ == "OREPA_LargeConvBase";  // no style puts this one anywhere
    const Shape x = file_.shape("/x");
    return text("layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: ", x[0],
                " dim: ", x[1], " dim: ", x[2], " dim: ", x[3], " } } }\n",
                "layer { name: 'block' type: '", chain ? "ORepaConv" : "Convolution",
                "' bottom: 'x' top: 'block' convolution_param { num_output: ",
                attribute("out_channels", 0), " kernel_size: ", attribute("kernel_size", 1),
                " pad: ", attribute("padding", 0), " stride: ", attribute("stride", 1),
                " group: ", attribute("groups", 1), " dilation: ", attribute("dilation", 1),
                " bias_term: false } ", chain ? "orepa_param { preset: LARGE_BASE }" : "", " }\n",
                "layer { name: 'block.bn' type: 'BatchNorm' bottom: 'block' top: 'block' ",
                "batch_norm_param { moving_average_fraction: 0.9 } }\n",
                "layer { name: 'block.scale' type: 'Scale' bottom: 'block' top: 'block' ",
                "scale_param { bias_term: true } }\n",
                is_vgg() ? "layer { name: 'relu' type: 'ReLU' bottom: 'block' top: 'block' }" : "");
  }
  NetSpec net() const {
    static const std::map<std::string, std::string> styles = {{"OREPA", "orepa"},
                                                              {"OREPA_1x1", "orepa"},
                                                              {"OREPA_LargeConv", "orepa"},
                                                              {"RepVGGBlock_OREPA", "orepa_vgg"},
                                                              {"RepVGGBlock", "repvgg"},
                                                              {"DBB", "dbb"},
                                                              {"ACNet", "acnet"}};
    NetSpec plain = NetSpec::parse(prototxt(), GetParam().file);
    const auto style = styles.find(block_);
    return style == styles.end() ? std::move(plain) : reparam(plain, {style->second, "", ""});
  }

  // The file's array for every parameter, in our order; what the file calls W is block.W there.
  std::map<const Parameter*, std::vector<float>> wanted(const Parameters& parameters,
                                                        const std::string& folder,
                                                        Parameter::Kind kind) const {
    std::map<const Parameter*, std::vector<float>> values;
    for (const PublishedTensor& tensor : published_tensors(spec_, parameters))
      for (size_t i = 0; i < tensor.parts.size(); ++i)
        if (const Parameter* parameter = tensor.parts[i]; parameter && parameter->kind == kind)
          values[parameter] = tensor.part(i, file_.read(folder + tensor.name.substr(6)));
    return values;
  }

  void load(Parameters& parameters) const {
    for (const auto& [folder, kind] : {std::pair("/param/", Parameter::Kind::kLearned),
                                       std::pair("/buffer/", Parameter::Kind::kBuffer)})
      for (const auto& [parameter, values] : wanted(parameters, folder, kind))
        parameters.write(*parameters.find(parameter->layer, parameter->name), values);
  }

  NetOptions net_options(Phase phase) const {
    NetOptions options;
    options.phase = phase;
    options.input_gradients = options.seed_outputs = phase == Phase::kTrain;
    return options;
  }

  TensorFileReader file_;
  std::string block_;
  double tolerance_;
  std::unique_ptr<Device> device_;
  NetSpec spec_;
};

TEST_P(GoldenBlock, TrainsAsPublished) {
  Parameters parameters(*device_, 1, true);
  Arena arena(*device_);
  Net net(spec_, parameters, arena, net_options(Phase::kTrain));
  load(parameters);
  net.set("x", file_.read("/x"));
  net.seed_gradient("block", file_.read("/dy"));
  net.prepare();
  net.forward(0);
  net.backward();
  expect_close(net.read("block"), file_.read("/train/y"), tolerance_, "y");
  expect_close(net.read_gradient("x"), file_.read("/train/dx"), tolerance_, "dx");
  const auto gradients = wanted(parameters, "/train/grad/", Parameter::Kind::kLearned);
  double most = 0;
  for (const auto& [parameter, values] : gradients) most = std::max(most, largest(values));
  size_t compared = 0;
  net.finish([&](const std::vector<Parameter*>& learned) {
    for (const Parameter* parameter : learned) {
      // A single weight a channel in front of a BatchNorm has no gradient but what eps leaves of
      // it, a difference of terms as large as the gradients of the others.
      const Shape& shape = parameter->value.shape;
      const bool only_scales = shape.rank() == 4 && shape.count() == shape[0];
      expect_close(read_tensor(*device_, parameter->gradient), gradients.at(parameter), tolerance_,
                   "gradient of " + parameter->path(), only_scales ? most : 0);
      ++compared;
    }
  });
  EXPECT_EQ(compared, gradients.size());
  for (const auto& [parameter, values] :
       wanted(parameters, "/train/buffer/", Parameter::Kind::kBuffer))
    expect_close(parameters.read(*parameter), values, tolerance_,
                 parameter->path() + " after one batch");
}

TEST_P(GoldenBlock, InfersAndMergesAsPublished) {
  Parameters parameters(*device_, 1, false);
  Arena arena(*device_);
  Net net(spec_, parameters, arena, net_options(Phase::kTest));
  load(parameters);
  net.set("x", file_.read("/x"));
  net.prepare();
  net.forward(0);
  expect_close(net.read("block"), file_.read("/eval/y"), tolerance_, "y");
  const MergedNet merged = merge(test_layers(spec_), parameters,
                                 [&](const std::string& blob) { return net.shape(blob); });
  expect_close(merged.values.at("block/weight"), file_.read("/deploy/weight"), tolerance_,
               "merged kernel");
  expect_close(merged.values.at("block/bias"), file_.read("/deploy/bias"), tolerance_,
               "merged bias");
}

std::vector<Block> blocks() {
  std::vector<Block> all;
  for (const char* file :
       {"acnet_k3",     "acnet_k5_s2",  "dbb_k3_depthwise", "dbb_k3_g2",          "dbb_k5",
        "convbn_k3",    "dbb_k3",       "dbb_k3_s2",        "orepa_1x1_narrow",   "orepa_1x1_wide",
        "orepa_k3",     "orepa_k3_c32", "orepa_k3_d2",      "orepa_k3_g4",        "orepa_k3_g8",
        "orepa_k3_s2",  "orepa_k5",     "orepa_large_k7",   "orepa_largebase_k7", "orepa_vgg_id",
        "orepa_vgg_s2", "repvgg_id",    "repvgg_s2"})
    for (const Algorithm algorithm : {Algorithm::kDirect, Algorithm::kAuto})
      all.push_back({file, algorithm});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Published, GoldenBlock, testing::ValuesIn(blocks()), name_of);

}  // namespace
}  // namespace orepa
