// orepa_tool check: what is wrong with a net or a solver, and where it is not as in Caffe.
#include "tests/tools/tool_fixture.h"

namespace orepa {
namespace {

TEST_F(ToolTest, ChecksANet) {
  make_task(1);
  ASSERT_EQ(run({"check", "--model", net_}), kDone) << output_;
  EXPECT_SAYS(net_ + ": phase TRAIN has batches of 16, ");
  EXPECT_SAYS(net_ + ": phase TEST has batches of 16, ");
  EXPECT_SAYS(net_ + ":2:1: layer \"data\": samples come in another order in every epoch");
  EXPECT_SAYS("; as in Caffe: `data_param { shuffle: false }`\n");
  EXPECT_SAYS("layer \"loss\" (and 1 more): a label that is no class");  // and "accuracy"
  EXPECT_SAYS(net_ + ": sound, 5 differences from Caffe (docs/caffe.md)\n");

  ASSERT_EQ(run({"check", "--model", net_, "--phase", "TEST"}), kDone) << output_;
  EXPECT_EQ(output_.find("phase TRAIN has"), std::string::npos) << output_;
}

TEST_F(ToolTest, ChecksFindEveryUnknownFieldAndType) {
  const std::string net = file("net.prototxt", R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "ip" type: "InnerProdct" bottom: "x" top: "y" inner_product_param { outputs: 2 } }
layer { name: "r" type: "ReLu" bottom: "y" top: "y" botom: "x" }
)");
  EXPECT_EQ(run({"check", "--model", net}), kFailed);
  EXPECT_SAYS("error: " + net + ":3:83: unknown field \"outputs\"");
  EXPECT_SAYS("error: " + net + ":4:53: unknown field \"botom\"");
  EXPECT_SAYS("layers of type InnerProdct are not known; was InnerProduct meant?");
  EXPECT_SAYS("layers of type ReLu are not known; was ReLU meant?");
  EXPECT_SAYS(net + ": 4 errors, 0 differences from Caffe");
}

TEST_F(ToolTest, ChecksBuildEveryNetOfASolver) {
  make_task(10);
  const std::string rest = read_file(solver_) + " test_interval: 3 ";
  ASSERT_EQ(run({"check", "--solver", file("solver.prototxt", rest)}), kDone) << output_;
  EXPECT_SAYS("solver.prototxt: random_seed: without it");
  EXPECT_SAYS("there is a test after the last iteration");
  EXPECT_SAYS("sound, ");

  std::string broken = read_file(net_);
  broken.insert(broken.find("num_output: 2"), "axis: 7 ");
  const std::string other = file("broken.prototxt", broken);
  const std::string solver =
      file("bad.prototxt", rest + "test_net: \"" + other + "\" test_net: \"" + net_ +
                               "\" momentum2: 2 weights: \"absent.caffemodel\"");
  EXPECT_EQ(run({"check", "--solver", solver}), kFailed);
  EXPECT_SAYS("momentum2 must lie in [0, 1), got 2");
  EXPECT_SAYS("there is no file \"absent.caffemodel\"");
  EXPECT_SAYS(other + ":");
  EXPECT_SAYS("layer \"ip\" (InnerProduct)");
  EXPECT_SAYS(net_ + ": phase TEST has batches of 16");
  EXPECT_SAYS("bad.prototxt: 3 errors, ");
}

TEST_F(ToolTest, ChecksGetAlongWithoutData) {
  const std::string net = file("net.prototxt", R"(
layer { name: "data" type: "Data" top: "data" top: "label" transform_param { crop_size: 24 }
  data_param { source: "nowhere/lmdb" backend: LMDB batch_size: 8 } }
layer { name: "ip" type: "InnerProduct" bottom: "data" top: "ip"
  inner_product_param { num_output: 2 } }
layer { name: "loss" type: "SoftmaxWithLoss" bottom: "ip" bottom: "label" top: "loss" }
)");
  ASSERT_EQ(run({"check", "--model", net}), kDone) << output_;
  EXPECT_SAYS(":2:1: layer \"data\" (Data): its source is not there, and taken for one of 24 x 24");
  EXPECT_SAYS("phase TRAIN has batches of 8, 3,458 parameters");  // 2 (3 24 24 + 1)
  std::string cropless = read_file(net);
  cropless.erase(cropless.find("crop_size: 24"), 13);
  EXPECT_EQ(run({"check", "--model", file("cropless.prototxt", cropless)}), kFailed);
  EXPECT_SAYS("its source is not there, and the size of its images not known without it");
  EXPECT_SAYS("nowhere/lmdb");
}

TEST_F(ToolTest, ChecksTakeANetOrASolver) {
  EXPECT_EQ(run({"check"}), kUsage);
  EXPECT_EQ(run({"check", "--model", "a", "--solver", "b"}), kUsage);
  EXPECT_SAYS("a net (--model) or a solver (--solver)");
  EXPECT_EQ(run({"check", "--model", folder_ + "absent"}), kFailed);
}

}  // namespace
}  // namespace orepa
