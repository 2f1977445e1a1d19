// What no reader of ONNX can tell: names, and what is refused. The numbers are held against other
// programs by tests/referees.
#include "io/onnx/onnx.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "onnx.pb.h"
#include "orepa/error.h"
#include "orepa/net.h"
#include "tests/files.h"
#include "tests/test_device.h"

namespace orepa {
namespace {

constexpr const char* kInput =
    "layer { name: \"x\" type: \"Input\" top: \"x\" input_param { shape { dim: 2 dim: 4 } } }\n";

class OnnxTest : public testing::Test {
 protected:
  void write(const std::string& layers) {
    const NetSpec spec = NetSpec::parse(kInput + layers, "net");
    const std::unique_ptr<Device> device = test_device();
    Parameters parameters(*device, 1, false);
    Arena arena(*device);
    const Net net(spec, parameters, arena, {});
    write_onnx(path_, spec, parameters, [&](const std::string& blob) { return net.shape(blob); });
  }
  onnx::GraphProto written(const std::string& layers) {
    write(layers);
    std::ifstream in(path_, std::ios::binary);
    onnx::ModelProto model;
    EXPECT_TRUE(model.ParseFromIstream(&in));
    return model.graph();
  }
  std::string refusal(const std::string& layers) {
    try {
      write(layers);
    } catch (const Error& error) {
      EXPECT_FALSE(std::filesystem::exists(path_));
      return error.what();
    }
    return "nothing was refused";
  }

  std::string path_ = test_folder() + "net.onnx";
};

TEST_F(OnnxTest, NamesInputsAndOutputsAfterTheirBlobs) {
  const onnx::GraphProto graph = written(R"(
layer { name: "r" type: "ReLU" bottom: "x" top: "x" }
layer { name: "s" type: "Sigmoid" bottom: "x" top: "y" }
layer { name: "t" type: "TanH" bottom: "y" top: "y" })");
  EXPECT_EQ(graph.input(0).name(), "x");
  EXPECT_EQ(graph.output(0).name(), "y");
  ASSERT_EQ(graph.node_size(), 3);
  EXPECT_EQ(graph.node(0).name(), "r");
  // In single assignment: the second x and the first y have names of their own.
  EXPECT_EQ(graph.node(0).output(0), "x_");
  EXPECT_EQ(graph.node(1).output(0), "y@s");
  EXPECT_EQ(graph.node(2).input(0), "y@s");
}

TEST_F(OnnxTest, KeepsNamesOfWeightsAndBlobsApart) {
  const onnx::GraphProto graph = written(R"(
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "ip/weight"
  inner_product_param { num_output: 3 transpose: true bias_term: false } })");
  EXPECT_EQ(graph.output(0).name(), "ip/weight");
  ASSERT_EQ(graph.initializer_size(), 1);
  EXPECT_EQ(graph.initializer(0).name(), "ip/weight_");
  EXPECT_EQ(graph.node(0).input(1), "ip/weight_");
  // As it stands, inputs x outputs.
  EXPECT_EQ(graph.initializer(0).dims(0), 4);
  EXPECT_EQ(graph.node(0).attribute(0).i(), 0) << "transB";
}

TEST_F(OnnxTest, RefusesWhatNoNetForUseHas) {
  const std::string loss = refusal(R"(
layer { name: "label" type: "Input" top: "label" input_param { shape { dim: 2 } } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "x" bottom: "label" top: "loss" })");
  EXPECT_NE(loss.find("\"loss\" (SoftmaxWithLoss)"), std::string::npos) << loss;
  EXPECT_NE(loss.find("phase TEST"), std::string::npos) << loss;
  const std::string norm = refusal(R"(
layer { name: "bn" type: "BatchNorm" bottom: "x" top: "y"
  batch_norm_param { use_global_stats: false } })");
  EXPECT_NE(norm.find("\"bn\" (BatchNorm)"), std::string::npos) << norm;
  EXPECT_NE(norm.find("use_global_stats"), std::string::npos) << norm;
  const std::string states = refusal(R"(
layer { name: "steps" type: "Reshape" bottom: "x" top: "steps"
  reshape_param { shape { dim: 2 dim: 4 dim: 1 } } }
layer { name: "rnn" type: "RNN" bottom: "steps" bottom: "x" top: "h"
  recurrent_param { num_output: 3 } })");
  EXPECT_NE(states.find("\"rnn\" (RNN)"), std::string::npos) << states;
  EXPECT_NE(states.find("expose_hidden"), std::string::npos) << states;
}

}  // namespace
}  // namespace orepa
