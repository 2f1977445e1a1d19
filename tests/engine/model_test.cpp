#include "orepa/model.h"

#include <gtest/gtest.h>

#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

const char* const kNet = R"(
layer { name: "a" type: "Input" top: "a" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
layer { name: "b" type: "Input" top: "b" input_param { shape { dim: 1 dim: 2 dim: 3 dim: 3 } } }
layer { name: "conv" type: "Convolution" bottom: "a" top: "conv"
  convolution_param { num_output: 2 kernel_size: 1 bias_term: false
                      weight_filler { type: "constant" value: 1 } } }
layer { name: "sum" type: "Eltwise" bottom: "conv" bottom: "b" top: "sum" }
)";

std::vector<float> all(float value) { return std::vector<float>(18, value); }

TEST(Model, RunsWithTheParametersThatItHas) {
  const auto device = test_device();
  Model model(NetSpec::parse(kNet, "net"), *device);
  EXPECT_EQ(model.run({{"a", all(3)}, {"b", all(1)}}), (Blobs{{"sum", all(7)}}));
  EXPECT_EQ(model.run({{"a", all(1)}, {"b", all(1)}}), (Blobs{{"sum", all(3)}}));
  Parameter& kernel = *model.parameters.find("conv", "weight");
  model.parameters.write(kernel, {2, 2, 2, 2});
  EXPECT_EQ(model.run({{"a", all(1)}, {"b", all(1)}}), (Blobs{{"sum", all(5)}}));
}

TEST(Model, NamesInputsThatAreMissingOrUnknown) {
  const auto device = test_device();
  Model model(NetSpec::parse(kNet, "net"), *device);
  EXPECT_EQ(error_of([&] {
              model.run({{"a", all(3)}});
            }),
            "input \"b\" has no values; it takes 1 x 2 x 3 x 3 numbers");
  EXPECT_EQ(error_of([&] {
              model.run({{"a", all(1)}, {"b", all(1)}, {"aa", all(1)}});
            }),
            "the net has no input \"aa\"; did you mean \"a\"?");
  EXPECT_NE(error_of([&] { model.run({{"a", {1}}, {"b", all(1)}}); }), "");
}

TEST(Model, TakesInputsOfOtherSizes) {
  const auto device = test_device();
  NetOptions options = inference_options();
  options.inputs = {{"a", {2, 2, 1, 1}}, {"b", {2, 2, 1, 1}}};
  Model model(NetSpec::parse(kNet, "net"), *device, options);
  EXPECT_EQ(model.run({{"a", {1, 2, 3, 4}}, {"b", {0, 1, 2, 3}}}), (Blobs{{"sum", {3, 4, 9, 10}}}));
  EXPECT_EQ(model.run({{"a", {1, 2}}, {"b", {0, 1}}}, {{"a", {1, 2, 1, 1}}, {"b", {1, 2, 1, 1}}}),
            (Blobs{{"sum", {3, 4}}}));
  options.inputs = {{"conv", {2, 2, 1, 1}}};
  EXPECT_EQ(
      error_of([&] { Model(NetSpec::parse(kNet, "net"), *device, options); }),
      "NetOptions::inputs gives blob \"conv\" the shape 2 x 2 x 1 x 1, but it is no top of an "
      "Input layer in this phase");
  options.inputs = {{"a", {2, 2, 1, 1}}};
  EXPECT_NE(error_of([&] { Model(NetSpec::parse(kNet, "net"), *device, options); }), "");
}

}  // namespace
}  // namespace orepa
