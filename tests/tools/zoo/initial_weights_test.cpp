// Every parameter of the zoo's networks starts as the published code draws it.
#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "orepa/net.h"
#include "tests/test_device.h"
#include "tools/zoo/golden.h"
#include "tools/zoo/models.h"

namespace orepa::zoo {
namespace {

// Uniform in [-bound, bound] where bound > 0, the identity matrix, or a constant.
struct Start {
  double bound = 0, value = 0;
  bool identity = false;
};

Start constant(double value) { return {0, value, false}; }

// PyTorch's kaiming_uniform_ with a = sqrt(slope_squared).
Start kaiming(double fan_in, double slope_squared) {
  return {std::sqrt(6 / ((1 + slope_squared) * fan_in)), 0, false};
}

// Of an ORepaConv: W is O x Cg x K x K in G groups.
struct Kernel {
  std::string preset;
  double outputs, inputs_per_group, groups, size;
};

// docs/orepa.md has the tables.
Start start_of_factor(Kernel kernel, std::string name) {
  double slope_squared = 0;
  if (kernel.preset == "OREPA_1X1" || kernel.preset == "OREPA_VGG") slope_squared = 1;
  if (kernel.preset == "LARGE_BASE") slope_squared = 5;
  if (kernel.preset == "OREPA_LARGE" || kernel.preset == "LARGE_BASE") {
    // A chain of 3 x 3 kernels, O channels wide.
    if (name[0] != '0') kernel.inputs_per_group = kernel.outputs / kernel.groups;
    kernel.size = 3;
    name = name.substr(2);
  }
  const double inputs = kernel.inputs_per_group, taps = kernel.size * kernel.size;
  const double middle = inputs * (kernel.groups <= 4 ? 1 : 2);  // T / G of 1x1_kxk
  constexpr double kExpansion = 8;
  if (kernel.preset == "IDENTITY") return constant(0);
  if (kernel.preset == "OREPA_1X1") {
    const bool widens = kernel.outputs > inputs;
    if (name == "1x1_1x1.first") return widens ? Start{0, 0, true} : kaiming(inputs, slope_squared);
    if (name == "1x1_1x1.second")
      return widens ? kaiming(inputs, slope_squared) : Start{0, 0, true};
    if (name == "kxk.scale") return constant(1);
  }
  const std::map<std::string, Start> starts = {
      {"weight", kaiming(inputs * taps, slope_squared)},  // a link of LARGE_BASE
      {"kxk.weight", kaiming(inputs * taps, slope_squared)},
      {"avg.weight", kaiming(inputs, slope_squared)},
      {"prior.weight", kaiming(inputs, slope_squared)},
      {"1x1_kxk.pointwise", constant(0)},
      {"1x1_kxk.weight", kaiming(middle * taps, slope_squared)},
      {"1x1.weight", kaiming(inputs, slope_squared)},
      {"dw_pw.depthwise", kaiming(taps, slope_squared)},
      {"dw_pw.pointwise", kaiming(inputs * kExpansion, slope_squared)},
      {"kxk.scale", constant(0.25)},
      {"avg.scale", constant(0.25)},
      {"prior.scale", constant(0)},
      {"1x1_kxk.scale", constant(0.5)},
      {"1x1.scale", constant(1)},
      {"dw_pw.scale", constant(0.5)},
      {"1x1_1x1.scale", constant(0.5)}};
  return starts.at(name);
}

Start start_of(const Options& layer, const Parameter& parameter, const Parameters& all) {
  const std::string type = layer.string("type");
  if (type == "ORepaConv") {
    const Shape& kernel = all.find(parameter.layer, "weight")->value.shape;
    return start_of_factor(
        {layer.message("orepa_param").choice("preset"), static_cast<double>(kernel[0]),
         static_cast<double>(kernel[1]), layer.message("convolution_param").number("group"),
         static_cast<double>(kernel[2])},
        parameter.name);
  }
  if (type == "Convolution" || type == "InnerProduct") {
    // U(+-1/sqrt(fan_in)), biases too.
    const Shape& weight = all.find(parameter.layer, "weight")->value.shape;
    const double fan_in = static_cast<double>(weight.count()) / static_cast<double>(weight[0]);
    return {1 / std::sqrt(fan_in), 0, false};
  }
  return constant(parameter.name == "scale" || parameter.name == "variance" ? 1 : 0);
}

void expect_uniform(const std::vector<float>& values, double bound) {
  const auto count = static_cast<double>(values.size());
  double mean = 0, square = 0, largest = 0;
  for (const double value : values) {
    mean += value / count;
    square += value * value / count;
    largest = std::max(largest, std::fabs(value));
  }
  // Of x uniform in [-b, b]: E x^2 = b^2 / 3 and Var x^2 = b^4 (1/5 - 1/9). Five standard errors
  // are exceeded once in two million.
  EXPECT_NEAR(mean / bound, 0, 5 * std::sqrt(1 / (3 * count)));
  EXPECT_NEAR(square / (bound * bound), 1.0 / 3, 5 * std::sqrt(4 / (45 * count)));
  // In float32 the bound may round up. All of `count` numbers lie below (1 - 14 / count) b with a
  // probability of e^-14.
  EXPECT_LE(largest, bound * (1 + 1e-6));
  EXPECT_GE(largest, bound * (1 - 14 / count));
}

// Checks every parameter of the net; returns how many of them were random.
int expect_published(const NetSpec& spec) {
  std::map<std::string, Options> layers;
  for (const Options& layer : spec.layers()) layers.emplace(layer.string("name"), layer);
  const std::unique_ptr<Device> device = test_device();
  Parameters parameters(*device, 1, false);
  Arena arena(*device);
  NetOptions options;
  options.batch_size = 1;
  const Net net(spec, parameters, arena, options);
  int random = 0;
  for (const auto& parameter : parameters.all()) {
    if (parameter->kind == Parameter::Kind::kDerived || parameter->name == "factor") continue;
    SCOPED_TRACE(parameter->path());
    const Start start = start_of(layers.at(parameter->layer), *parameter, parameters);
    const std::vector<float> values = parameters.read(*parameter);
    if (start.bound > 0) {
      expect_uniform(values, start.bound);
      ++random;
      continue;
    }
    std::vector<float> wanted(values.size(), static_cast<float>(start.value));
    if (start.identity)
      for (int64_t i = 0; i < parameter->value.shape[0]; ++i)
        wanted[static_cast<size_t>(i * parameter->value.shape[1] + i)] = 1;
    EXPECT_EQ(values, wanted);
  }
  return random;
}

TEST(InitialWeights, OfTheGoldenNets) {
  for (const std::string& name : golden_names()) {
    SCOPED_TRACE(name);
    EXPECT_GE(expect_published(golden_solver(name).net()), 14);
  }
}

TEST(InitialWeights, OfAWholeModel) {
  EXPECT_EQ(expect_published(train_val(model("resnet18"), "plain")), 22);
}

// Up to four groups have as many middle channels as inputs, more groups twice as many.
TEST(InitialWeights, OfGroupedBlocks) {
  for (const int groups : {4, 8}) {
    const Model narrow = {"narrow", "", ResNet{{1, 1, 1, 1}, true, 0.25, groups, 64 / groups}, {}};
    EXPECT_GE(expect_published(train_val(narrow, "orepa", {1, 64, 10})), 60);
  }
}

TEST(InitialWeights, OfAChainOfPlainKernels) {
  EXPECT_EQ(expect_published(NetSpec::parse(
                "layer { name: 'x' type: 'Input' top: 'x'"
                "  input_param { shape { dim: 1 dim: 24 dim: 8 dim: 8 } } }"
                "layer { name: 'c' type: 'ORepaConv' bottom: 'x' top: 'c' convolution_param {"
                "  num_output: 16 kernel_size: 7 pad: 3 group: 4 bias_term: false }"
                "  orepa_param { preset: LARGE_BASE } }",
                "net")),
            3);
}

}  // namespace
}  // namespace orepa::zoo
