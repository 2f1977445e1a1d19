// Every layer whose top is as large as its bottom may write over it, and computes the same there,
// forward and backward.
#include <gtest/gtest.h>

#include "orepa/net.h"
#include "orepa/random.h"
#include "tests/error_of.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

std::vector<float> normal(int64_t count, const std::string& purpose) {
  const Random random(5, purpose);
  std::vector<float> values(static_cast<size_t>(count));
  for (size_t i = 0; i < values.size(); ++i) values[i] = static_cast<float>(random.normal(i));
  return values;
}

// The layer between two others, its top called `top`.
std::string net_text(const std::string& layer, const std::string& top) {
  return "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 3 dim: 5 dim: "
         "4 } } } layer { name: 'a' type: 'Power' bottom: 'x' top: 'y' power_param { scale: 1.5 } "
         "} "
         "layer { name: 'l' bottom: 'y' top: '" +
         top + "' " + layer + " } layer { name: 'b' type: 'Power' bottom: '" + top +
         "' top: 'z' power_param { scale: 2 } }";
}

// Its output and all gradients.
std::vector<std::vector<float>> step(const std::string& text) {
  const auto device = test_device();
  Parameters parameters(*device, 1, true);
  Arena arena(*device);
  NetOptions options;
  options.phase = Phase::kTrain;
  options.input_gradients = options.seed_outputs = true;
  Net net(NetSpec::parse(text, "net.prototxt"), parameters, arena, options);
  net.set("x", normal(120, "x"));
  net.prepare();
  net.forward(0);
  std::vector<std::vector<float>> made{net.read("z")};
  net.seed_gradient("z", normal(120, "z"));
  parameters.begin_step();
  net.backward();
  made.push_back(net.read_gradient("x"));
  net.finish([&](const std::vector<Parameter*>& learned) {
    for (const Parameter* parameter : learned)
      made.push_back(read_tensor(*device, parameter->gradient));
  });
  return made;
}

TEST(InPlace, LayersComputeTheSame) {
  for (const std::string layer :
       {"type: 'ReLU'",
        "type: 'ReLU6'",
        "type: 'Sigmoid'",
        "type: 'TanH'",
        "type: 'ELU'",
        "type: 'PReLU'",
        "type: 'AbsVal'",
        "type: 'BNLL'",
        "type: 'Power' power_param { power: 2 shift: 3 }",
        "type: 'Exp'",
        "type: 'Log' log_param { shift: 9 }",
        "type: 'Swish'",
        "type: 'Clip' clip_param { min: -0.5 max: 0.5 }",
        "type: 'Dropout'",
        "type: 'Softmax'",
        "type: 'LRN'",
        "type: 'LRN' lrn_param { norm_region: WITHIN_CHANNEL }",
        "type: 'MVN'",
        "type: 'Normalize'",
        "type: 'BatchNorm'",
        "type: 'Scale' scale_param { bias_term: true }",
        "type: 'Bias'",
        "type: 'Eltwise' bottom: 'x'",
        "type: 'Eltwise' bottom: 'y'",
        "type: 'Eltwise' bottom: 'x' eltwise_param { operation: PROD }",
        "type: 'Split'",
        "type: 'Scale' bottom: 'x' scale_param { axis: 0 num_axes: -1 }",
        "type: 'Reshape' reshape_param { shape { dim: 0 dim: 0 dim: 0 dim: -1 } }",
        "type: 'ShuffleChannel' shuffle_channel_param { group: 3 }",
        "type: 'Pooling' pooling_param { pool: AVE kernel_size: 3 pad: 1 }",
        "type: 'Convolution' convolution_param { num_output: 3 kernel_size: 3 pad: 1 "
        "weight_filler { type: 'xavier' } }",
        "type: 'ORepaConv' convolution_param { num_output: 3 kernel_size: 3 pad: 1 } orepa_param { "
        "preset: OREPA }"})
    EXPECT_EQ(step(net_text(layer, "y")), step(net_text(layer, "of_its_own"))) << layer;
}

TEST(InPlace, ATopOfAnotherShapeIsRefused) {
  EXPECT_NE(error_of([] {
              step(net_text("type: 'Flatten'", "y"));
            }).find("is written over the bottom of that name, which is 2 x 3 x 5 x 4, not 2 x 60"),
            std::string::npos);
}

}  // namespace
}  // namespace orepa
