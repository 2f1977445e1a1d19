// What layers of elementwise_cases.cpp and normalisation_cases.cpp say of options and bottoms that
// cannot be.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "orepa/net.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

// Of a net whose second line is the layer.
std::string error_of_layer(const std::string& type, const std::string& bottoms,
                           const std::string& fields) {
  const auto input = [](const std::string& name, const std::string& dims) {
    return "layer { name: '" + name + "' type: 'Input' top: '" + name + "' input_param { shape { " +
           dims + " } } } ";
  };
  const std::string text = input("x", "dim: 2 dim: 6 dim: 5 dim: 4") +
                           input("rows", "dim: 2 dim: 6") + input("vector", "dim: 6") +
                           "\nlayer { name: 'it' type: '" + type + "' " + bottoms + " top: 'y' " +
                           fields + " }";
  const auto device = test_device();
  Parameters parameters(*device, 1, true);
  Arena arena(*device);
  try {
    const Net net(NetSpec::parse(text, "bad.prototxt"), parameters, arena, {});
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), testing::StartsWith("bad.prototxt:2:"));
    return error.what();
  }
  return "nothing was thrown";
}

TEST(ElementwiseErrors, SayWhatIsWrong) {
  struct Row {
    std::string type, fields, expected;
    std::string bottoms = "bottom: 'x'";
  };
  const std::string two = "bottom: 'x' bottom: 'rows'", three = two + " bottom: 'x'";
  for (const Row& row : std::vector<Row>{
           {"ReLU6", "", "has 2 bottoms, but takes 1", two},
           {"PReLU", "", "has 2 bottoms, but takes 1", two},
           {"PReLU", "", "bottom must have channels on axis 1, got 6", "bottom: 'vector'"},
           {"PReLU", "prelu_param { filler { type: 'msr' } }", "unknown filler \"msr\""},
           {"Clip", "", "needs both limits"},
           {"Clip", "clip_param { min: 2 max: 1 }", "min must not be larger than max, got 2 and 1"},
           {"Exp", "exp_param { base: 0 }", "base must be positive, or -1 for e; got 0"},
           {"Log", "log_param { base: -2 }", "base must be positive, or -1 for e; got -2"},
           {"Log", "log_param { base: 1 }", "no logarithms of base 1"},
           {"Bias", "bias_param { axis: 3 num_axes: 2 }", "num_axes 2 reaches beyond"},
           {"Bias", "bias_param { axis: -5 }", "axis -5 does not exist"},
           {"Bias", "bias_param { axis: 1 }", "a bias of 2 x 6 from axis 1 does not fit", two},
           {"Bias", "bias_param { axis: 3 }", "a bias of 2 x 6 from axis 3 reaches beyond", two},
           {"Axpy", "", "takes three bottoms, scale, x and y; got 2", two},
           {"Axpy", "", "x, bottom 1, must be N x C x H x W, got 2 x 6", three},
           {"Axpy", "", "the scale, bottom 0, must have one number a channel of x",
            "bottom: 'x' bottom: 'x' bottom: 'x'"},
           {"Axpy", "", "y, bottom 2, must be as x", "bottom: 'rows' bottom: 'x' bottom: 'rows'"},
           {"LRN", "", "bottom must be N x C x H x W, got 2 x 6", "bottom: 'rows'"},
           {"LRN", "lrn_param { local_size: 4 }", "local_size must be odd, got 4"},
           {"MVN", "", "bottom must be N x C x H x W, got 2 x 6", "bottom: 'rows'"},
           {"Normalize", "", "bottom must be N x C x H x W or N x C, got 6", "bottom: 'vector'"},
           {"Normalize", "norm_param { eps: 0 }", "eps must be positive, got 0"}})
    EXPECT_THAT(error_of_layer(row.type, row.bottoms, row.fields), testing::HasSubstr(row.expected))
        << row.type << " " << row.bottoms << " " << row.fields;
}

}  // namespace
}  // namespace orepa
