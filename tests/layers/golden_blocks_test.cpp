// Whole blocks against values of the published PyTorch implementation (tests/golden/blocks):
// forward, input gradient, every parameter's gradient, running statistics, inference, and the
// merged kernel and bias. ORepaConv and plain layers make the blocks; the file's names are
// translated here.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "orepa/net.h"
#include "orepa/tensor_file.h"
#include "reparam/deploy.h"
#include "reparam/merge.h"

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
      : file_(OREPA_SOURCE_DIR "/tests/golden/blocks/" + GetParam().file + ".h5"),
        block_(file_.string("/", "block")),
        tolerance_(GetParam().algorithm == Algorithm::kDirect ? kDirect : kWinograd),
        device_(make_cpu_device()),
        spec_(NetSpec::parse(prototxt(), GetParam().file)) {}

  int64_t attribute(const std::string& name, int64_t fallback) const {
    return file_.has_attribute("/", name) ? static_cast<int64_t>(file_.number("/", name))
                                          : fallback;
  }
  bool is_vgg() const { return block_.starts_with("RepVGG"); }
  bool is_dbb() const { return block_ == "DBB"; }
  bool has_identity() const { return file_.has("/param/rbr_identity.weight"); }

  std::string convolution(const std::string& name, const std::string& type, int64_t size,
                          int64_t pad, const std::string& more, const std::string& bottom = "x",
                          bool strides = true) const {
    return text("layer { name: '", name, "' type: '", type, "' bottom: '", bottom, "' top: '", name,
                "' convolution_param { num_output: ", attribute("out_channels", 0),
                " kernel_size: ", size, " pad: ", pad,
                " stride: ", strides ? attribute("stride", 1) : 1,
                " group: ", attribute("groups", 1), " dilation: ", attribute("dilation", 1),
                " bias_term: false } ", more, " }\n");
  }
  static std::string norm(const std::string& name, const std::string& bottom) {
    return text("layer { name: '", name, "' type: 'BatchNorm' bottom: '", bottom, "' top: '", name,
                "' batch_norm_param { moving_average_fraction: 0.9 } }\nlayer { name: '", name,
                ".scale' type: 'Scale' bottom: '", name, "' top: '", name,
                "' scale_param { bias_term: true } }\n");
  }

  // A BatchNorm with a border of `pad`; its scale and shift are its own.
  static std::string norm_pad(const std::string& name, const std::string& bottom, int64_t pad) {
    return text("layer { name: '", name, "' type: 'BatchNormPad' bottom: '", bottom, "' top: '",
                name, "' batch_norm_param { moving_average_fraction: 0.9 pad: ", pad, " } }\n");
  }
  std::string dbb() const {
    const int64_t size = attribute("kernel_size", 3), pad = attribute("padding", 1);
    return convolution("dbb_origin", "Convolution", size, pad, "") +
           norm("dbb_origin.bn", "dbb_origin") + convolution("dbb_1x1", "Convolution", 1, 0, "") +
           norm("dbb_1x1.bn", "dbb_1x1") +
           convolution("dbb_avg", "Convolution", 1, 0, "", "x", false) +
           norm_pad("dbb_avg.bn", "dbb_avg", pad) +
           text("layer { name: 'dbb_avg.avg' type: 'Pooling' bottom: 'dbb_avg.bn' top: ",
                "'dbb_avg.avg' pooling_param { pool: AVE kernel_size: ", size,
                " stride: ", attribute("stride", 1), " round_mode: FLOOR } }\n") +
           norm("dbb_avg.avgbn", "dbb_avg.avg") +
           text("layer { name: 'dbb_1x1_kxk.idconv1' type: 'ORepaConv' bottom: 'x' ",
                "top: 'dbb_1x1_kxk.idconv1' convolution_param { num_output: ",
                attribute("in_channels", 0),
                " kernel_size: 1 bias_term: false } orepa_param { preset: IDENTITY } }\n") +
           norm_pad("dbb_1x1_kxk.bn1", "dbb_1x1_kxk.idconv1", pad) +
           convolution("dbb_1x1_kxk.conv2", "Convolution", size, 0, "", "dbb_1x1_kxk.bn1") +
           norm("dbb_1x1_kxk.bn2", "dbb_1x1_kxk.conv2") +
           "layer { name: 'sum' type: 'Eltwise' bottom: 'dbb_origin.bn' bottom: 'dbb_1x1.bn' "
           "bottom: 'dbb_avg.avgbn' bottom: 'dbb_1x1_kxk.bn2' top: 'sum' }\n";
  }

  std::string prototxt() const {
    static const std::map<std::string, std::string> presets = {
        {"OREPA", "OREPA"},
        {"OREPA_1x1", "OREPA_1X1"},
        {"OREPA_LargeConv", "OREPA_LARGE"},
        {"OREPA_LargeConvBase", "LARGE_BASE"},
        {"RepVGGBlock_OREPA", "OREPA_VGG"}};
    const auto preset = presets.find(block_);
    const bool plain = preset == presets.end();
    const Shape x = file_.shape("/x");
    std::string net =
        text("layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: ", x[0],
             " dim: ", x[1], " dim: ", x[2], " dim: ", x[3], " } } }\n");
    if (is_dbb()) return net + dbb();
    net += convolution("conv", plain ? "Convolution" : "ORepaConv", attribute("kernel_size", 1),
                       attribute("padding", 0),
                       plain ? "" : "orepa_param { preset: " + preset->second + " }");
    net += norm("bn", "conv");
    if (!is_vgg()) return net;
    net += convolution("conv1x1", "Convolution", 1, 0, "") + norm("bn1x1", "conv1x1");
    std::string bottoms = "bottom: 'bn' bottom: 'bn1x1'";
    if (has_identity()) {
      net += norm("bnid", "x");
      bottoms += " bottom: 'bnid'";
    }
    return net + "layer { name: 'sum' type: 'Eltwise' " + bottoms + " top: 'sum' }\n" +
           "layer { name: 'relu' type: 'ReLU' bottom: 'sum' top: 'sum' }\n";
  }
  std::string top() const { return is_vgg() || is_dbb() ? "sum" : "bn"; }

  // The file's name of our parameter, and the row of a scaling vector (-1: the whole array).
  struct Source {
    std::string name;
    int row = -1;
  };
  Source source(const Parameter& parameter) const {
    static const std::map<std::string, std::string> norms = {{"scale", "weight"},
                                                             {"bias", "bias"},
                                                             {"mean", "running_mean"},
                                                             {"variance", "running_var"}};
    const std::string layer = parameter.layer;
    if (is_dbb()) {
      const std::string module =
          layer.ends_with(".scale") ? layer.substr(0, layer.size() - 6) : layer;
      const bool padded = module == "dbb_avg.bn" || module == "dbb_1x1_kxk.bn1";
      if (module.find("bn") != std::string::npos)
        return {module + (padded ? ".bn." : ".") + norms.at(parameter.name)};
      return {module + (module.find('.') == std::string::npos ? ".conv.weight" : ".weight")};
    }
    if (layer.starts_with("bn")) {
      const std::string part = layer.substr(0, layer.find('.'));
      const std::string in_vgg = part == "bn"      ? "rbr_dense.bn."
                                 : part == "bn1x1" ? "rbr_1x1.bn."
                                                   : "rbr_identity.";
      return {(is_vgg() ? in_vgg : "bn.") + norms.at(parameter.name)};
    }
    if (layer == "conv1x1") return {"rbr_1x1.conv.weight"};
    if (block_ == "OREPA_LargeConvBase") return {"weight" + parameter.name.substr(0, 1)};
    if (parameter.name == "weight") return {is_vgg() ? "rbr_dense.conv.weight" : "conv.weight"};
    return branch_source(parameter.name);
  }
  Source branch_source(std::string name) const {
    static const std::map<std::string, std::string> factors = {
        {"kxk.weight", "origin"},
        {"avg.weight", "avg_conv"},
        {"prior.weight", "pfir_conv"},
        {"1x1_kxk.pointwise", "1x1_kxk_idconv1"},
        {"1x1_kxk.weight", "1x1_kxk_conv2"},
        {"1x1.weight", "1x1"},
        {"dw_pw.depthwise", "gconv_dw"},
        {"dw_pw.pointwise", "gconv_pw"},
        {"1x1_1x1.first", "l2i_conv1"},
        {"1x1_1x1.second", "l2i_conv2"}};
    static const std::map<std::string, std::vector<std::string>> rows = {
        {"orepa", {"kxk", "avg", "prior", "1x1_kxk", "1x1", "dw_pw"}},
        {"rbr", {"kxk", "avg", "prior", "1x1_kxk", "dw_pw"}},
        {"or1x1", {"kxk", "1x1_1x1"}}};
    std::string prefix = is_vgg() ? "rbr_dense." : "";
    if (block_ == "OREPA_LargeConv") {
      prefix = "weight" + name.substr(0, 1) + ".";
      name = name.substr(2);
    }
    const std::string family = is_vgg() ? "rbr" : block_ == "OREPA_1x1" ? "or1x1" : "orepa";
    if (!name.ends_with(".scale")) return {prefix + "weight_" + family + "_" + factors.at(name)};
    const std::vector<std::string>& order = rows.at(family);
    const auto place = std::find(order.begin(), order.end(), name.substr(0, name.size() - 6));
    return {prefix + "vector", static_cast<int>(place - order.begin())};
  }

  // The file's array for our parameter, in our order. With groups, the published code keeps the
  // rows of the pointwise factor of dw_pw in another one: our row c Og + j is its row j G + c.
  std::vector<float> wanted(const std::string& folder, const Parameter& parameter) const {
    const Source from = source(parameter);
    const std::string name = folder + from.name;
    std::vector<float> values = file_.read(name);
    const int64_t count = parameter.value.count();
    if (from.row >= 0)
      values = {values.begin() + from.row * count, values.begin() + (from.row + 1) * count};
    const int64_t groups = attribute("groups", 1);
    if (parameter.name == "dw_pw.pointwise" && groups > 1) {
      const std::vector<float> theirs = values;
      const int64_t outputs = parameter.value.shape[0], each = count / outputs;
      for (int64_t o = 0; o < outputs; ++o) {
        const int64_t c = o / (outputs / groups), j = o % (outputs / groups);
        std::copy_n(theirs.begin() + (j * groups + c) * each, each, values.begin() + o * each);
      }
    }
    return values;
  }

  void load(Parameters& parameters) const {
    for (const auto& parameter : parameters.all())
      if (parameter->kind != Parameter::Kind::kDerived && parameter->name != "factor")
        parameters.write(
            *parameter, wanted(parameter->kind == Parameter::Kind::kBuffer ? "/buffer/" : "/param/",
                               *parameter));
  }

  // The largest difference, relative to the largest number wanted.
  void expect_close(const std::vector<float>& got, const std::vector<float>& wanted,
                    const std::string& what) const {
    ASSERT_EQ(got.size(), wanted.size()) << what;
    double difference = 0, largest = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      difference = std::max(difference, std::fabs(double{got[i]} - wanted[i]));
      largest = std::max(largest, std::fabs(double{wanted[i]}));
    }
    EXPECT_LE(difference, tolerance_ * largest) << what << ", largest wanted " << largest;
  }

  NetOptions net_options(Phase phase) const {
    NetOptions options;
    options.phase = phase;
    options.algorithm = GetParam().algorithm;
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
  net.seed_gradient(top(), file_.read("/dy"));
  net.prepare();
  net.forward(0);
  net.backward();
  expect_close(net.read(top()), file_.read("/train/y"), "y");
  expect_close(net.read_gradient("x"), file_.read("/train/dx"), "dx");
  int compared = 0;
  net.finish([&](const std::vector<Parameter*>& learned) {
    for (const Parameter* parameter : learned) {
      expect_close(read_tensor(*device_, parameter->gradient), wanted("/train/grad/", *parameter),
                   "gradient of " + parameter->path());
      ++compared;
    }
  });
  EXPECT_GT(compared, 2);
  for (const auto& parameter : parameters.all())
    if (parameter->kind == Parameter::Kind::kBuffer && parameter->name != "factor")
      expect_close(parameters.read(*parameter), wanted("/train/buffer/", *parameter),
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
  expect_close(net.read(top()), file_.read("/eval/y"), "y");
  const MergedNet merged =
      merge(test_layers(spec_), parameters,
            [&](const std::string& blob) { return net.shape(blob); });
  const std::string layer = is_vgg() || is_dbb() ? "sum" : "conv";
  expect_close(merged.values.at(layer + "/weight"), file_.read("/deploy/weight"), "merged kernel");
  expect_close(merged.values.at(layer + "/bias"), file_.read("/deploy/bias"), "merged bias");
}

std::vector<Block> blocks() {
  std::vector<Block> all;
  for (const char* file : {"convbn_k3", "dbb_k3", "dbb_k3_s2", "orepa_1x1_narrow", "orepa_1x1_wide",
                           "orepa_k3", "orepa_k3_c32", "orepa_k3_d2", "orepa_k3_g4", "orepa_k3_g8",
                           "orepa_k3_s2", "orepa_k5", "orepa_large_k7", "orepa_largebase_k7",
                           "orepa_vgg_id", "orepa_vgg_s2", "repvgg_id", "repvgg_s2"})
    for (const Algorithm algorithm : {Algorithm::kDirect, Algorithm::kAuto})
      all.push_back({file, algorithm});
  return all;
}

INSTANTIATE_TEST_SUITE_P(Published, GoldenBlock, testing::ValuesIn(blocks()), name_of);

}  // namespace
}  // namespace orepa
