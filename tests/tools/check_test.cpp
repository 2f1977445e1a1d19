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
  EXPECT_SAYS("error: " + net +
              ":3:20: layer \"ip\" (InnerProdct): unknown layer type \"InnerProdct\"; did you mean "
              "\"InnerProduct\"?");
  EXPECT_SAYS("error: " + net +
              ":4:19: layer \"r\" (ReLu): unknown layer type \"ReLu\"; did you mean \"ReLU\"?");
  EXPECT_SAYS(net + ": 4 errors, 0 differences from Caffe");
}

TEST_F(ToolTest, ChecksFindTheErrorsOfEveryLayerOnce) {
  const std::string net = file("net.prototxt", R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 3 dim: 8 dim: 8 } } }
layer { name: "a" type: "Convolution" bottom: "x" top: "a"
  convolution_param { num_output: 4 group: 2 kernel_size: 3 } }
layer { name: "r" type: "ReLU" bottom: "a" top: "a" loss_weight: 1 loss_weight: 2 }
layer { name: "b" type: "Pooling" bottom: "x" top: "b" pooling_param { kernel_size: 9 } }
layer { name: "c" type: "InnerProduct" bottom: "x" top: "c" inner_product_param { axis: 7 } }
layer { name: "d" type: "ReLU" bottom: "nothing" top: "d" }
layer { name: "d" type: "Softmax" bottom: "x" top: "e" softmax_param { axis: 5 } }
layer { name: "f" type: "Dropout" bottom: "x" top: "f" include { phase: TRAIN } dropout_param {
  dropout_ratio: 2 } }
layer { name: "g" type: "LRN" bottom: "x" top: "g" lrn_param { local_siz: 2 norm_region: ACROSS } }
layer { name: "h" type: "Flatten" bottom: "x" top: "h"
  include { phase: TEST } exclude { phase: TRAIN } }
)");
  EXPECT_EQ(run({"check", "--model", net}), kFailed);
  EXPECT_SAYS("error: " + net + ":3:");
  EXPECT_SAYS("layer \"a\" (Convolution)");
  EXPECT_SAYS("error: " + net + ":6:");
  EXPECT_SAYS("layer \"b\" (Pooling)");
  EXPECT_SAYS("error: " + net + ":7:");
  EXPECT_SAYS("layer \"c\" (InnerProduct)");
  EXPECT_SAYS("error: " + net + ":8:32: layer \"d\" (ReLU): no earlier layer of this phase makes");
  EXPECT_SAYS("error: " + net + ":9:9: layer \"d\" (Softmax): another layer of this phase has");
  EXPECT_SAYS("layer \"f\" (Dropout)");
  EXPECT_SAYS("error: " + net + ":12:64: unknown field \"local_siz\"");
  EXPECT_SAYS("error: " + net + ":12:90: unknown value \"ACROSS\"");
  EXPECT_SAYS("error: " + net + ":14:27: layer \"h\" (Flatten): include and exclude rules");
  // "r" stands behind "a", and the layers of both phases are told once.
  EXPECT_EQ(output_.find("layer \"r\""), std::string::npos) << output_;
  EXPECT_SAYS(net + ": 9 errors, ");
}

TEST_F(ToolTest, ChecksFindWhatIsUnknownInFrontOfAnErrorOfTheText) {
  const std::string net = file("net.prototxt", R"(
layer { name: "x" type: "Input" top: "x" foo: 1 }
layer { name: "y" type: "ReLU" bottom: "x" top: "y" loss_weight: "much" }
)");
  EXPECT_EQ(run({"check", "--model", net}), kFailed);
  EXPECT_SAYS("error: " + net + ":2:42: unknown field \"foo\"");
  EXPECT_SAYS("error: " + net + ":3:66: ");
  EXPECT_SAYS(net + ": 2 errors, ");
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

TEST_F(ToolTest, ChecksFindEveryErrorOfASolver) {
  make_task(10);
  std::string broken = read_file(net_);
  broken.insert(broken.find("num_output: 2"), "axis: 7 axs: 1 ");
  const std::string first = file("first.prototxt", broken);
  broken = read_file(net_);
  broken.replace(broken.find("\"SoftmaxWithLoss\""), 17, "\"SoftmaxLoss\"");
  const std::string second = file("second.prototxt", broken);
  const std::string solver = file("bad.prototxt", "net: \"" + net_ +
                                                      R"(" max_iter: 9 test_interval: 3
display: -1
momentum2: 7
lr_polcy: "fixed"
snapshot: -5
base_lr: -1 gamma: 0.1 lr_policy: "stepp"
regularization_type: "L3"
test_net: ")" + first + "\" test_net: \"" + second + "\"");
  EXPECT_EQ(run({"check", "--solver", solver}), kFailed);
  for (const char* what :
       {": display must not be negative, got -1", ": momentum2 must lie in [0, 1), got 7",
        ": unknown field \"lr_polcy\" in SolverParameter; did you mean \"lr_policy\"?",
        ": snapshot must not be negative, got -5", ": unknown lr_policy \"stepp\"",
        ": base_lr must not be negative, got -1",
        ": regularization_type must be L1 or L2, got \"L3\""})
    EXPECT_SAYS(what);
  EXPECT_SAYS(first + ":");
  EXPECT_SAYS("unknown field \"axs\" in InnerProductParameter; did you mean \"axis\"?");
  EXPECT_SAYS(second + ":");
  EXPECT_SAYS("unknown layer type \"SoftmaxLoss\"");
  EXPECT_SAYS("bad.prototxt: 9 errors, ");
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
  std::string broken = read_file(net);
  broken.insert(broken.find("num_output: 2"), "axis: 7 ");
  EXPECT_EQ(run({"check", "--model", file("broken.prototxt", broken)}), kFailed);
  EXPECT_SAYS("broken.prototxt:4:1: layer \"ip\" (InnerProduct)");
}

TEST_F(ToolTest, ChecksTakeANetOrASolver) {
  EXPECT_EQ(run({"check"}), kUsage);
  EXPECT_EQ(run({"check", "--model", "a", "--solver", "b"}), kUsage);
  EXPECT_SAYS("a net (--model) or a solver (--solver)");
  EXPECT_EQ(run({"check", "--model", folder_ + "absent"}), kFailed);
}

}  // namespace
}  // namespace orepa
