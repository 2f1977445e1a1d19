// Four steps of small ResNets that the published implementation of OREPA computed;
// tests/golden/net_*.h5.
#include "orepa/convert.h"
#include "orepa/tensor_file.h"
#include "orepa/weights.h"
#include "tests/training.h"

namespace orepa {
namespace {

const std::string kFolder = std::string(OREPA_SOURCE_DIR) + "/tests/golden/";

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  return at == std::string::npos ? text : text.replace(at, from.size(), to);
}

// Where a published tensor stands in the net here: `row` of it, or all of it where row < 0.
struct Place {
  std::string layer, name;
  int row = -1;
};

// "stage0.conv1.weight2.vector" holds six parameters here, "....weight_orepa_prior" is a constant
// of the prior branch and is none.
std::vector<Place> places(const std::string& published) {
  const size_t dot = published.rfind('.');
  const std::string module = published.substr(0, dot), tensor = published.substr(dot + 1);
  static const std::map<std::string, std::string> batch_norm = {
      {"weight", "scale"}, {"bias", "bias"}, {"running_mean", "mean"}, {"running_var", "variance"}};
  if (module.ends_with(".bn")) {
    const std::string conv = module.substr(0, module.size() - 3);
    const bool learned = tensor == "weight" || tensor == "bias";
    return {{conv + (learned ? ".scale" : ".bn"), batch_norm.at(tensor)}};
  }
  if (module.ends_with(".conv")) return {{module.substr(0, module.size() - 5), tensor}};
  if (module == "linear") return {{module, tensor}};

  // The kernels of a chain are modules of their own: "stage0.conv1.weight2" is link 2.
  const size_t link = module.rfind(".weight");
  const bool chained = link != std::string::npos;
  const std::string layer = chained ? module.substr(0, link) : module;
  const std::string prefix = chained ? module.substr(link + 7) + "." : "";
  if (tensor == "vector") {
    std::vector<Place> rows;
    for (const char* branch : {"kxk", "avg", "prior", "1x1_kxk", "1x1", "dw_pw"})
      rows.push_back({layer, prefix + branch + ".scale", static_cast<int>(rows.size())});
    return rows;
  }
  static const std::map<std::string, std::string> factors = {
      {"weight_orepa_origin", "kxk.weight"},
      {"weight_orepa_avg_conv", "avg.weight"},
      {"weight_orepa_pfir_conv", "prior.weight"},
      {"weight_orepa_1x1_kxk_idconv1", "1x1_kxk.pointwise"},
      {"weight_orepa_1x1_kxk_conv2", "1x1_kxk.weight"},
      {"weight_orepa_1x1", "1x1.weight"},
      {"weight_orepa_gconv_dw", "dw_pw.depthwise"},
      {"weight_orepa_gconv_pw", "dw_pw.pointwise"}};
  const auto factor = factors.find(tensor);
  if (factor == factors.end()) return {};
  return {{layer, prefix + factor->second}};
}

std::string block(const std::string& layer) {
  return replaced(replaced(layer, ".bn", ""), ".scale", "");
}

class Published : public testing::TestWithParam<std::string> {
 protected:
  Published()
      : golden_(kFolder + GetParam() + ".h5"),
        spec_(SolverSpec::read(kFolder + GetParam() + ".solver.prototxt")) {}

  // The values of `group` by LAYER/NAME.
  std::map<std::string, std::vector<float>> state(const std::string& group) const {
    std::map<std::string, std::vector<float>> values;
    for (const std::string& path : golden_.names(group)) {
      const std::vector<float> all = golden_.read(path);
      const size_t row = all.size() / static_cast<size_t>(golden_.shape(path)[0]);
      for (const Place& place : places(path.substr(group.size() + 1))) {
        const auto first = all.begin() + std::max(place.row, 0) * row;
        values[place.layer + "/" + place.name] = {first, place.row < 0 ? all.end() : first + row};
      }
    }
    return values;
  }

  // Every parameter but BatchNorm's factor, which the published files do not have.
  void load(Parameters& parameters, const std::string& group) const {
    auto values = state(group);
    for (const auto& parameter : parameters.all()) {
      if (parameter->kind == Parameter::Kind::kDerived || parameter->name == "factor") continue;
      ASSERT_TRUE(values.contains(parameter->path())) << parameter->path();
      parameters.write(*parameter, values[parameter->path()]);
      values.erase(parameter->path());
    }
    EXPECT_TRUE(values.empty()) << values.begin()->first;
  }

  TensorFileReader golden_;
  SolverSpec spec_;
};

TEST_P(Published, TrajectoriesAreFollowed) {
  const std::vector<float> images = golden_.read("/x_u8"), labels = golden_.read("/t");
  SolverOptions options;
  options.feed = [&](Net& net, int64_t pass) {
    const int64_t count = net.shape("x").count(), batch = net.shape("t").count();
    std::vector<float> x(images.begin() + pass * count, images.begin() + (pass + 1) * count);
    for (float& pixel : x) pixel = (pixel - 127.5f) / 64;
    net.set("x", x);
    net.set("t", {labels.begin() + pass * batch, labels.begin() + (pass + 1) * batch});
  };
  Training run(std::move(spec_), options);
  Parameters& parameters = run->parameters();
  load(parameters, "/state0");
  for (const float loss : golden_.read("/loss")) EXPECT_NEAR(run->step(), loss, 1e-4);

  // Relative to the tensor's largest, but at least a thousandth of its block's largest.
  const auto wanted = state("/state");
  std::map<std::string, float> block_largest;
  for (const auto& [path, values] : wanted) {
    float& most = block_largest[block(path.substr(0, path.find('/')))];
    most = std::max(most, largest(values));
  }
  for (const auto& [path, values] : wanted) {
    const std::string layer = path.substr(0, path.find('/'));
    const Parameter* parameter = parameters.find(layer, path.substr(layer.size() + 1));
    ASSERT_NE(parameter, nullptr) << path;
    const float scale = std::max(largest(values), 1e-3f * block_largest[block(layer)]);
    EXPECT_LE(largest_difference(parameters.read(*parameter), values), 1e-3f * scale) << path;
  }
}

// The logits of `spec` for the published images; `fill` gives the parameters their values.
template <class Fill>
std::vector<float> logits(const NetSpec& spec, const TensorFileReader& golden, Fill fill) {
  const std::unique_ptr<Device> device = make_cpu_device();
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  NetOptions options;
  options.algorithm = Algorithm::kDirect;
  options.batch_size = golden.shape("/eval/x")[0];
  Net net(spec, parameters, arena, options);
  fill(parameters);
  net.set("x", golden.read("/eval/x"));
  net.prepare();
  net.forward(0);
  return net.read("linear");
}

TEST_P(Published, LogitsOfTheTrainedStateAgree) {
  const std::string folder = testing::TempDir(), trained = folder + GetParam() + ".h5";
  const NetSpec net = spec_.net();
  const std::vector<float> got = logits(net, golden_, [&](Parameters& parameters) {
    load(parameters, "/state");
    save_weights(trained, net, parameters);
  });
  EXPECT_LE(largest_difference(got, golden_.read("/eval/logits")), 1e-4f);

  const std::unique_ptr<Device> device = make_cpu_device();
  ConvertOptions options;
  options.output = folder + GetParam() + "_deploy.prototxt";
  options.output_weights = folder + GetParam() + "_deploy.caffemodel";
  options.algorithm = Algorithm::kDirect;
  convert(net, trained, *device, options);
  const std::vector<float> deployed = logits(
      NetSpec::read(options.output), golden_,
      [&](Parameters& parameters) { load_weights(options.output_weights, parameters, true); });
  EXPECT_LE(largest_difference(deployed, golden_.read("/deploy/logits")), 1e-4f);
}

INSTANTIATE_TEST_SUITE_P(Golden, Published,
                         testing::Values("net_resnet_basic_base", "net_resnet_basic_orepa"),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace orepa
