// orepa_tool as a user calls it: a process, its words, its exit code.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <thread>

#include "core/input_file.h"
#include "orepa/error.h"
#include "orepa/model_io.h"
#include "orepa/tensor_file.h"
#include "tests/data/sources/idx_files.h"
#include "tests/error_of.h"
#include "tests/files.h"
#include "tests/test_device.h"
#include "tests/tools/tool_fixture.h"

namespace orepa {
namespace {

TEST_F(ToolTest, WrongCallsGetCodeTwoAndAHint) {
  EXPECT_EQ(run({}), kUsage);
  EXPECT_EQ(run({"trian"}), kUsage);
  EXPECT_SAYS("did you mean train?");
  EXPECT_SAYS("`orepa_tool --help` says how it is used");
  EXPECT_EQ(run({"train"}), kUsage);
  EXPECT_SAYS("solver");
  EXPECT_EQ(run({"test", "--modle", "x"}), kUsage);
  EXPECT_SAYS("did you mean --model?");
  EXPECT_SAYS("`orepa_tool test --help` says how it is used");
  EXPECT_EQ(run({"time", "--model", "x", "--iterations", "many"}), kUsage);
  EXPECT_EQ(run({"summary", "--model", "x", "--phase", "DURING"}), kUsage);
  EXPECT_EQ(run({"reparam", "--model", "x", "--output", "y", "--style", "dbbb"}), kUsage);
  EXPECT_SAYS("orepa_vgg");
}

TEST_F(ToolTest, ConversionsToOnnxWantOneFile) {
  const std::vector<std::string> words{"convert", "--model",  "x", "--weights",
                                       "y",       "--output", "z"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    return more;
  };
  EXPECT_EQ(run(words), kUsage);
  EXPECT_SAYS("--to onnx");
  EXPECT_EQ(run(with({"--to", "tflite"})), kUsage);
  EXPECT_SAYS("caffe or onnx");
  EXPECT_EQ(run(with({"--to", "onnx", "--output_weights", "w.caffemodel"})), kUsage);
  EXPECT_SAYS("--output_weights");
  EXPECT_EQ(run(with({"--to", "onnx", "--output_test", "t.prototxt"})), kUsage);
  EXPECT_SAYS("--output_test");
}

TEST_F(ToolTest, HelpAndLayersSucceed) {
  EXPECT_EQ(run({"--help"}), kDone);
  EXPECT_SAYS("convert");
  EXPECT_EQ(run({"layers"}), kDone);
  for (const char* name : {"ORepaConv", "SoftmaxWithLoss", "dw_pw", "Nesterov"}) EXPECT_SAYS(name);
}

TEST_F(ToolTest, BadModelsGetCodeOneAndThePlace) {
  EXPECT_EQ(run({"summary", "--model", folder_ + "absent"}), kFailed);
  EXPECT_SAYS("absent");
  EXPECT_EQ(run({"summary", "--model", folder_}), kFailed);

  const std::string input = "layer { name: \"x\" type: \"Input\" top: \"x\"\n input_param { shape ";
  const std::string field =
      file("field", input + "{ dim: 1 dim: 3 dim: 8 dim: 8 } } bottm: \"y\" }");
  EXPECT_EQ(run({"time", "--model", field}), kFailed);
  EXPECT_SAYS(field + ":2:");
  EXPECT_SAYS("bottom");
  EXPECT_EQ(run({"summary", "--model", file("v1", "name: \"old\"\nlayers { type: 'ReLU' }")}),
            kFailed);
  EXPECT_SAYS("v1:2:16: ");

  EXPECT_EQ(run({"time", "--model",
                 file("type", input + "{ dim: 1 } } }\nlayer { name: \"r\" type: \"RelU\" "
                                      "bottom: \"x\" top: \"y\" }")}),
            kFailed);
  EXPECT_SAYS("ReLU");
  EXPECT_EQ(run({"summary", "--model", file("negative", input + "{ dim: -4 } } }")}), kFailed);
  EXPECT_EQ(run({"time", "--model", file("huge", input + "{ dim: 4000000000000 dim: 9 } } }")}),
            kFailed);
  EXPECT_SAYS("memory");
  EXPECT_EQ(run({"summary", "--model",
                 file("missing", input + "{ dim: 1 } } }\nlayer { name: \"r\" type: \"ReLU\" "
                                         "bottom: \"z\" top: \"y\" }")}),
            kFailed);
  EXPECT_SAYS("bottom \"z\"");
}

TEST_F(ToolTest, UpgradesOldFiles) {
  const std::string old = file("old",
                               "input: \"x\" input_dim: 1 input_dim: 2 input_dim: 3\n"
                               "input_dim: 4 layers { name: \"r\" type: RELU bottom: \"x\" "
                               "top: \"y\" }");
  EXPECT_EQ(run({"upgrade", old, folder_ + "new"}), kDone);
  EXPECT_SAYS("written: " + folder_ + "new (net)");
  EXPECT_EQ(run({"summary", "--model", folder_ + "new"}), kDone);
  EXPECT_SAYS("ReLU");
  EXPECT_EQ(run({"upgrade", old}), kUsage);
  EXPECT_SAYS("needs two files, IN OUT, got 1");
  EXPECT_EQ(run({"upgrade"}), kUsage);
  EXPECT_EQ(run({"upgrade", folder_ + "absent", folder_ + "new"}), kFailed);
}

// Forks of Caffe have layers and fields of their own.
TEST_F(ToolTest, DescribesAndRewritesWhatItKnowsOfAForeignNet) {
  const std::string net = source_file("tests/io/text/foreign/shufflenet.prototxt");
  for (const char* phase : {"TRAIN", "TEST"}) {
    EXPECT_EQ(run({"summary", "--model", net, "--phase", phase}), kDone) << output_;
    EXPECT_SAYS(
        "pool1          Pooling               1 x 24 x 7 x 7");  // 16 would be 8, rounded up
    EXPECT_SAYS("shuffle1       ShuffleChannel        1 x 24 x 7 x 7");
    EXPECT_SAYS("resx1_conv2    ConvolutionDepthwise  not known: type not known");
    EXPECT_SAYS("resx1_elewise  Eltwise               not known: behind resx1_conv2");
    EXPECT_SAYS(":30:87: not taken into account: unknown value \"MKLDNN\" for field \"engine\"");
    EXPECT_SAYS("layers of type ConvolutionDepthwise are not known; was Convolution meant?");
    EXPECT_SAYS("3 layers that are not known count in no number");
  }
  const std::string ssd = source_file("tests/io/text/foreign/ssd.prototxt");
  EXPECT_EQ(run({"summary", "--model", ssd, "--phase", "TRAIN"}), kDone) << output_;
  EXPECT_SAYS("10 layers that are not known");

  const std::string blocks = folder_ + "blocks.prototxt";
  EXPECT_EQ(run({"reparam", "--style", "orepa", "--model", net, "--output", blocks}), kDone);
  EXPECT_SAYS("resx1_conv1  stays plain: " + net + ":30:87: unknown value \"MKLDNN\"");
  EXPECT_SAYS(":37:3: copied as it is: unknown field \"engine\" in LayerParameter");
  EXPECT_SAYS("layers of type ConvolutionDepthwise are not known and copied as they are");
  EXPECT_SAYS("2 of 3 convolutions rewritten");

  // Nothing computes with what is not known.
  const std::string unread = net + ":30:87: unknown value \"MKLDNN\"", none = folder_ + "none.h5",
                    out = folder_ + "out.h5";
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"time"},
        {"test", "--weights", none},
        {"run", "--input", none, "--output", out},
        {"convert", "--weights", none, "--output", out, "--output_weights", out},
        {"reparam", "--style", "orepa", "--output", out, "--weights", none, "--output_weights",
         folder_ + "blocks.h5"}}) {
    std::vector<std::string> command = words;
    command.insert(command.end(), {"--model", net});
    EXPECT_EQ(run(command), kFailed) << words[0];
    EXPECT_SAYS(unread);
  }
  const std::string solver = file("foreign_solver.prototxt", "net: \"" + net + "\" max_iter: 1");
  EXPECT_EQ(run({"train", "--solver", solver}), kFailed);
  EXPECT_SAYS(unread);
}

TEST_F(ToolTest, DamagedWeightsAndUnwritableOutputLeaveNothingBehind) {
  make_task(2);
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const std::string weights = folder_ + "snap_iter_2.caffemodel";
  const std::string whole = read_file(weights);
  const std::string cut = file("cut.caffemodel", whole.substr(0, whole.size() / 2));
  EXPECT_EQ(run({"test", "--model", net_, "--weights", cut}), kFailed);
  EXPECT_EQ(run({"test", "--model", net_, "--weights", file("random.h5", "no HDF5 at all")}),
            kFailed);
  EXPECT_EQ(run({"train", "--solver", solver_, "--snapshot", weights}), kFailed);
  EXPECT_SAYS("solverstate");

  // Weights of another net: what would be tested is random numbers.
  std::string other = read_file(net_);
  other.replace(other.find("\"ip\""), 4, "\"ip2\"");
  EXPECT_EQ(run({"test", "--model", file("other.prototxt", other), "--weights", weights}), kFailed);
  EXPECT_SAYS("2 parameters of the net have no weights there");

  const std::string deploy = folder_ + "deploy.prototxt";
  EXPECT_EQ(run({"convert", "--model", net_, "--weights", weights, "--output", deploy,
                 "--output_weights", folder_ + "nowhere/deploy.caffemodel"}),
            kFailed);
  EXPECT_FALSE(std::filesystem::exists(deploy));
}

TEST_F(ToolTest, ALabelThatIsNoClassFailsATest) {
  make_task(1);
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  std::string labels(70, '\1');
  labels[33] = '\5';
  file("labels", idx({70}, labels));
  EXPECT_EQ(run({"test", "--model", net_, "--weights", folder_ + "snap_iter_1.caffemodel"}),
            kFailed);
  EXPECT_SAYS("there are 2 classes, counted from 0, but the labels of the data run from 1 to 5");
}

TEST_F(ToolTest, SaysWhichTestNetATestIsOf) {
  make_task(1);
  const std::string both =
      file("both.prototxt", read_file(solver_) + " test_net: \"" + net_ + "\" test_net: \"" + net_ +
                                "\" test_interval: 1");
  ASSERT_EQ(run({"train", "--solver", both}), kDone) << output_;
  EXPECT_SAYS("\ntest #1     " + net_);
  EXPECT_SAYS("iteration 1  test #0  ");
  EXPECT_SAYS("iteration 1  test #1  ");
}

TEST_F(ToolTest, EmptyWeightFilesAreCalledEmpty) {
  make_task(1);
  EXPECT_EQ(run({"test", "--model", net_, "--weights", file("none.caffemodel", "")}), kFailed);
  EXPECT_SAYS("none.caffemodel: is empty");
}

// A path may hold any bytes, JSON only UTF-8.
TEST_F(ToolTest, JsonIsUtf8WhateverThePathIs) {
  const std::string net =
      "layer { name: \"x\" type: \"DummyData\" top: \"x\" dummy_data_param { shape { dim: 2 } } }";
  // Kept: e with an accent. Replaced: a lone lead and a lone trail byte, a surrogate, a form that
  // is longer than needed, and a character beyond Unicode's last.
  const std::string kept = "\xc3\xa9";
  const std::string broken = "\xc3.\x80.\xed\xa0\x80.\xc0\xaf.\xf4\x90\x80\x80.\xff";
  const std::string path = file(kept + broken, net);
  for (const char* phase : {"TEST", "TRAIN"}) {
    ASSERT_EQ(run({"time", "--model", path, "--phase", phase, "--iterations", "1", "--json"}),
              kDone)
        << output_;
    const std::string one = "\\ufffd";
    EXPECT_SAYS(kept + one + "." + one + "." + one + one + one + "." + one + one + "." + one + one +
                one + one + "." + one + "\"");
  }
}

TEST_F(ToolTest, StartsFromTheWeightsThatTheSolverNames) {
  make_task(2);
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const std::string weights = folder_ + "snap_iter_2.caffemodel";
  const std::string named =
      file("named.prototxt", read_file(solver_) + " weights: \"" + weights + "\"");
  const std::string again = folder_ + "again";
  ASSERT_EQ(run({"train", "--solver", named, "--run", again}), kDone) << output_;
  EXPECT_SAYS(" loaded, 0 missing");
  EXPECT_EQ(run({"train", "--solver", named, "--run", again, "--overwrite", "--weights",
                 folder_ + "absent"}),
            kFailed);
  EXPECT_SAYS("absent");  // the flag wins
}

TEST_F(ToolTest, TrainsConvertsAndTestsAlike) {
  make_task(40);
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const std::string weights = folder_ + "snap_iter_40.caffemodel";
  ASSERT_EQ(run({"test", "--model", net_, "--weights", weights}), kDone) << output_;
  EXPECT_SAYS("tested 70 samples");  // four batches of 16 and the ragged rest
  EXPECT_SAYS("accuracy = 1");
  ASSERT_EQ(run({"convert", "--model", net_, "--weights", weights, "--output",
                 folder_ + "deploy.prototxt", "--output_weights", folder_ + "deploy.caffemodel",
                 "--output_test", folder_ + "deploy_test.prototxt"}),
            kDone)
      << output_;
  EXPECT_SAYS("ORepaConv + BatchNorm + Scale");
  ASSERT_EQ(run({"convert", "--model", net_, "--weights", weights, "--output",
                 folder_ + "deploy.onnx", "--to", "onnx", "--merge_all", "--json"}),
            kDone)
      << output_;
  EXPECT_EQ(output_.find("{\"model\": \""), 0u) << output_;
  EXPECT_SAYS(
      "\"merged\": [\n  {\"layer\": \"conv\", \"parts\": \"ORepaConv + BatchNorm + Scale\"");
  // A pool that rounds down is no stock Caffe: 8 -> 4, where rounding up would give 5.
  const std::string deploy = read_file(folder_ + "deploy.prototxt");
  for (const char* foreign : {"round_mode", "orepa_param", "BatchNorm", "label", "phase"})
    EXPECT_EQ(deploy.find(foreign), std::string::npos) << foreign << " in\n" << deploy;
  EXPECT_NE(deploy.find("pool_stride1"), std::string::npos) << deploy;
  ASSERT_EQ(run({"test", "--model", folder_ + "deploy_test.prototxt", "--weights",
                 folder_ + "deploy.caffemodel"}),
            kDone)
      << output_;
  EXPECT_SAYS("accuracy = 1");
  // What is deployed becomes blocks again, the rewritten pool included.
  const std::string blocks = folder_ + "blocks.prototxt",
                    block_weights = folder_ + "blocks.caffemodel";
  ASSERT_EQ(
      run({"reparam", "--style", "orepa", "--model", folder_ + "deploy_test.prototxt", "--weights",
           folder_ + "deploy.caffemodel", "--output", blocks, "--output_weights", block_weights}),
      kDone)
      << output_;
  ASSERT_EQ(run({"test", "--model", blocks, "--weights", block_weights}), kDone) << output_;
  EXPECT_SAYS("accuracy = 1");
}

// The first factor of an ORepaConv has the shape of the plain kernel and stands at its position.
TEST_F(ToolTest, WeightsOfABlockAreNotThoseOfAConvolution) {
  make_task(2);
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const std::string trained = folder_ + "snap_iter_2.caffemodel";
  std::string content = read_file(net_);
  content.replace(content.find("ORepaConv"), 9, "Convolution");
  content.replace(content.find("orepa_param { preset: OREPA }"), 29, "");
  const std::string plain = file("plain.prototxt", content);
  EXPECT_EQ(run({"test", "--model", plain, "--weights", trained}), kFailed);
  EXPECT_SAYS(
      "layer \"conv\" has 14 blobs there, and 1 in the net; it was trained as ORepaConv: run "
      "`orepa_tool convert`");
  // By name, too.
  ASSERT_EQ(run({"export", "--to", "orepa-pytorch", "--model", net_, "--weights", trained,
                 "--output", folder_ + "state.h5"}),
            kDone);
  ASSERT_EQ(run({"import", "--from", "orepa-pytorch", "--model", net_, "--input",
                 folder_ + "state.h5", "--output", folder_ + "named.h5"}),
            kDone)
      << output_;
  EXPECT_EQ(run({"test", "--model", plain, "--weights", folder_ + "named.h5"}), kFailed);
  EXPECT_SAYS("it was trained as ORepaConv: run `orepa_tool convert`");

  // And the other way round.
  EXPECT_EQ(run({"train", "--solver",
                 file("plain_solver.prototxt",
                      "net: \"" + plain + "\" base_lr: 0.1 max_iter: 1 snapshot_prefix: \"" +
                          folder_ + "plain\"")}),
            kDone)
      << output_;
  EXPECT_EQ(run({"test", "--model", net_, "--weights", folder_ + "plain_iter_1.caffemodel"}),
            kFailed);
  EXPECT_SAYS("`orepa_tool reparam --weights` makes its weights of a plain net's");
}

// A trained plain net goes on as one of DBB blocks, from the same accuracy.
TEST_F(ToolTest, ReparamsATrainedNet) {
  make_task(20);
  std::string plain = read_file(net_);
  plain.replace(plain.find("ORepaConv"), 9, "Convolution");
  plain.replace(plain.find("orepa_param { preset: OREPA }"), 29, "");
  file("net.prototxt", plain);
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const std::string weights = folder_ + "snap_iter_20.caffemodel",
                    blocks = folder_ + "dbb.prototxt";
  const std::vector<std::string> words = {"reparam", "--model",  net_,   "--style",
                                          "dbb",     "--output", blocks, "--weights"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), words.begin(), words.end());
    return more;
  };
  EXPECT_EQ(run(with({weights})), kUsage);
  EXPECT_SAYS("--output_weights");
  EXPECT_EQ(run(with({weights, "--style", "orepa"})), kUsage);
  EXPECT_SAYS("flag --style is given twice");
  const std::string block_weights = folder_ + "dbb.caffemodel";
  EXPECT_EQ(run(with({weights, "--output_weights", block_weights, "--exclude", "conv"})), kFailed);
  EXPECT_SAYS("stays plain: excluded");
  EXPECT_SAYS("rewrites no convolution");
  EXPECT_EQ(run(with({weights, "--output_weights", block_weights, "--include", "("})), kFailed);
  EXPECT_SAYS("no regular expression");
  EXPECT_FALSE(std::filesystem::exists(blocks));
  ASSERT_EQ(run(with({weights, "--output_weights", block_weights})), kDone) << output_;
  EXPECT_SAYS("DBB block of 4 branches");
  ASSERT_EQ(run({"test", "--model", net_, "--weights", weights}), kDone) << output_;
  const std::string accuracy = output_.substr(output_.find("accuracy = "), 18);
  ASSERT_EQ(run({"test", "--model", blocks, "--weights", block_weights}), kDone) << output_;
  EXPECT_SAYS(accuracy);
}

// y = 2 x + 1, then BatchNorm: numbers in, numbers, gradients and statistics out.
TEST_F(ToolTest, RunsTensorsThroughANet) {
  const std::string net = file("run.prototxt", R"(
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 2 dim: 1 dim: 1 dim: 2 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "y"
  param { lr_mult: 1 } param { lr_mult: 0 }
  convolution_param { num_output: 1 kernel_size: 1
    weight_filler { value: 2 } bias_filler { value: 1 } } }
layer { name: "bn" type: "BatchNorm" bottom: "y" top: "z"
  batch_norm_param { moving_average_fraction: 0.9 } }
)");
  TensorFileWriter in;
  in.write("/in/x", {2, 1, 1, 2}, {1, 2, 3, 6});
  in.write("/in/ignored", {1}, {0});
  in.write("/grad/z", {2, 1, 1, 2}, {0, 0, 0, 1});
  in.save(folder_ + "in.h5");
  ASSERT_EQ(run({"run", "--model", net, "--input", folder_ + "in.h5", "--output",
                 folder_ + "out.h5", "--phase", "TRAIN", "--backward", "--blobs", "y"}),
            kDone)
      << output_;
  EXPECT_SAYS("in.h5: not used: /in/ignored\n");
  EXPECT_EQ(output_.find("not used: /in/x"), std::string::npos) << output_;
  EXPECT_EQ(output_.find("not used: /grad/z"), std::string::npos) << output_;
  const TensorFileReader out(folder_ + "out.h5");
  EXPECT_EQ(out.read("/out/y"), (std::vector<float>{3, 5, 7, 13}));
  // mean 7, variance 14: (13 - 7) / sqrt(14)
  EXPECT_NEAR(out.read("/out/z")[3], 1.603567f, 1e-5);
  // Gradients of one output add up to 0 over what it was normalised with, and along y itself.
  const std::vector<float> dx = out.read("/grad_in/x");
  EXPECT_NEAR(dx[0] + dx[1] + dx[2] + dx[3], 0, 1e-6);
  EXPECT_NEAR(dx[0] * 3 + dx[1] * 5 + dx[2] * 7 + dx[3] * 13, 0, 1e-5);
  // d/dy[3] = (1 - 1/4 - 36 / (4 14)) / sqrt(14), and dx = 2 dy
  EXPECT_NEAR(dx[3], 2 * (1 - 0.25 - 36.0 / 56) / 3.7416574, 1e-5);
  const std::vector<float> dy = out.read("/grad_blob/y");
  EXPECT_EQ(dx, (std::vector<float>{2 * dy[0], 2 * dy[1], 2 * dy[2], 2 * dy[3]}));
  EXPECT_EQ(out.shape("/grad_param/conv/weight"), (Shape{1, 1, 1, 1}));
  EXPECT_EQ(out.number("/grad_param/conv/weight", "index"), 0);
  EXPECT_EQ(out.read("/grad_param/conv/bias"), std::vector<float>{0});  // lr_mult 0
  EXPECT_EQ(out.number("/grad_param/conv/bias", "index"), 1);
  EXPECT_NEAR(out.read("/buffer/bn/mean")[0], 0.7f, 1e-6);
  EXPECT_NEAR(out.read("/buffer/bn/variance")[0], 0.9f + 0.1f * 14 * 4 / 3, 1e-5);  // unbiased
  EXPECT_EQ(out.number("/buffer/bn/variance", "index"), 1);

  TensorFileWriter larger;
  larger.write("/in/x", {1, 1, 3, 2}, {1, 2, 3, 4, 5, 6});
  larger.save(folder_ + "larger.h5");
  ASSERT_EQ(run({"run", "--model", net, "--input", folder_ + "larger.h5", "--output",
                 folder_ + "larger_out.h5", "--blobs", "y"}),
            kDone)
      << output_;
  EXPECT_EQ(TensorFileReader(folder_ + "larger_out.h5").shape("/out/y"), (Shape{1, 1, 3, 2}));

  EXPECT_EQ(
      run({"run", "--model", net, "--input", folder_ + "out.h5", "--output", folder_ + "again.h5"}),
      kFailed);
  EXPECT_SAYS("/in/x");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "again.h5"));
  EXPECT_EQ(
      run({"run", "--model", net, "--input", folder_ + "in.h5", "--output", folder_ + "in.h5"}),
      kFailed);
  EXPECT_SAYS("is read and would be overwritten");
}

TEST_F(ToolTest, PrintsWhatANetMakes) {
  const std::string net = file("net.prototxt", R"(debug_info: true
layer { name: "x" type: "Input" top: "x" input_param { shape { dim: 1 dim: 2 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y"
  inner_product_param { num_output: 1 weight_filler { value: 3 } } }
)");
  TensorFileWriter in;
  in.write("/in/x", {1, 2}, {1, -2});
  in.write("/grad/y", {1, 1}, {-1});
  in.save(folder_ + "in.h5");
  ASSERT_EQ(run({"run", "--model", net, "--input", folder_ + "in.h5", "--output",
                 folder_ + "out.h5", "--backward"}),
            kDone);
  EXPECT_EQ(output_,
            "[Forward] Layer x, top blob x data: 1.5\n"
            "[Forward] Layer ip, top blob y data: 3\n"
            "[Backward] Layer ip, bottom blob x diff: 3\n"
            "[Backward] Layer ip, param blob weight diff: 1.5\n"
            "[Backward] Layer ip, param blob bias diff: 1\n");
}

TEST_F(ToolTest, ExportsACheckpointAndImportsIt) {
  make_task(2);
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const auto port = [&](const std::string& command, const std::string& format,
                        const std::string& from, const std::string& to) {
    const bool imports = command == "import";
    return run({command, imports ? "--from" : "--to", format, "--model", net_,
                imports ? "--input" : "--weights", from, "--output", to});
  };
  const std::string state = folder_ + "state.h5", again = folder_ + "again.h5";
  const std::string trained = folder_ + "snap_iter_2.caffemodel";
  const std::string imported = folder_ + "imported.caffemodel";
  EXPECT_EQ(port("export", "orepa-torch", trained, state), kUsage);
  EXPECT_SAYS("orepa-pytorch");
  ASSERT_EQ(port("export", "orepa-pytorch", trained, state), kDone) << output_;

  TensorFileWriter part;
  part.write("/conv.vektor", {6, 16}, std::vector<float>(96, 0.5f));
  part.save(folder_ + "part.h5");
  EXPECT_EQ(port("import", "orepa-pytorch", folder_ + "part.h5", imported), kFailed);
  EXPECT_SAYS("missing  conv.vector  (the nearest that is unused: conv.vektor)");
  const std::string pickle = file("checkpoint.pth", "PK\x03\x04");
  EXPECT_EQ(port("import", "orepa-pytorch", pickle, imported), kFailed);
  EXPECT_SAYS("tools/torch_to_h5.py " + pickle);
  EXPECT_FALSE(std::filesystem::exists(imported));

  ASSERT_EQ(port("import", "orepa-pytorch", state, imported), kDone) << output_;
  ASSERT_EQ(port("export", "orepa-pytorch", imported, again), kDone) << output_;
  EXPECT_TRUE(read_file(state) == read_file(again));
}

TEST_F(ToolTest, TimesCountOneFinishAStep) {
  make_task(1);
  ASSERT_EQ(run({"time", "--model", net_, "--iterations", "2", "--iter_size", "3", "--json"}),
            kDone)
      << output_;
  // Three passes a step, of which the branches are composed and finished once.
  EXPECT_SAYS("\"forward_calls\": 3");
  EXPECT_SAYS("\"prepare_calls\": 1");
  EXPECT_SAYS("\"finish_calls\": 1");
  EXPECT_SAYS("\"waits\": 0");
  EXPECT_FALSE(output_.find("\"launches\": 0") != std::string::npos) << output_;
}

// ONEDNN_MAX_CPU_ISA counts for loops of our own, too.
TEST_F(ToolTest, OneDnnsLimitKeepsWinogradOut) {
  const std::string net = file("net.prototxt", R"(
layer { name: "x" type: "DummyData" top: "x"
  dummy_data_param { shape { dim: 4 dim: 32 dim: 14 dim: 14 } } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "y"
  convolution_param { num_output: 32 kernel_size: 3 pad: 1 } })");
  environment_ = {"ONEDNN_MAX_CPU_ISA=SSE41"};
  ASSERT_EQ(run({"time", "--model", net, "--phase", "TEST", "--iterations", "1", "--json"}), kDone)
      << output_;
  EXPECT_SAYS("\"algorithm\": \"direct\"");
}

TEST_F(ToolTest, SaysWhereBFloat16IsSlowOrNotThere) {
  make_task(1);
  const std::vector<std::string> words{"time", "--model", net_, "--iterations", "1", "--precision"};
  const auto time_in = [&](const std::string& precision) {
    std::vector<std::string> call = words;
    call.push_back(precision);
    return run(call);
  };
  EXPECT_EQ(time_in("BF17"), kUsage);
  EXPECT_SAYS("flag --precision is \"BF17\"; it can be FLOAT32 or BF16");
  environment_ = {"ONEDNN_MAX_CPU_ISA=AVX2"};
  EXPECT_EQ(time_in("BF16"), kFailed);
  EXPECT_SAYS("precision BF16 needs a processor with AVX512_BF16");
  EXPECT_EQ(time_in("FLOAT32"), kDone) << output_;
  environment_ = {"ONEDNN_MAX_CPU_ISA=AVX512_CORE"};
  if (test_device()->bfloat16() == Device::Support::kNone) return;
  EXPECT_EQ(time_in("BF16"), kDone) << output_;
  EXPECT_SAYS("note: precision BF16 is slower than FLOAT32 on this processor");
}

// Each time the program starts, libgomp shows how often it looks before it sleeps.
TEST_F(ToolTest, WaitsShortlyUnlessTheEnvironmentSaysHow) {
  make_task(1);
  const std::string odd = file(" odd\n\"\xff.prototxt", read_file(net_));
  const auto shown = [&](const std::string& variable) {
    environment_ = {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "OMP_DISPLAY_ENV=verbose", variable};
    EXPECT_EQ(run({"summary", "--model", odd}), kDone) << output_;
    std::vector<int64_t> counts;
    const std::string name = "GOMP_SPINCOUNT = '";
    for (size_t at = 0; (at = output_.find(name, at)) != std::string::npos;)
      counts.push_back(std::stoll(output_.substr(at += name.size())));
    return counts;
  };
  const std::vector<int64_t> counts = shown("OMP_WAIT_POLICY");
  ASSERT_EQ(counts.size(), 2) << output_;
  EXPECT_LT(counts[1], counts[0]);  // libgomp's own, 300,000 or so
  // 50 microseconds, where one look takes a nanosecond to a hundred
  EXPECT_GE(counts[1], 500);
  EXPECT_LE(counts[1], 50000);
  EXPECT_EQ(shown("GOMP_SPINCOUNT=77"), std::vector<int64_t>{77});
  EXPECT_EQ(shown("OMP_WAIT_POLICY=passive"), std::vector<int64_t>{0});
}

// Signals come at any moment, in the middle of a gemm too (see make_device()): with
// a handler, every 150th or so was the end of the run.
TEST_F(ToolTest, SurvivesManySignals) {
  make_task(1000000);
  const pid_t child = start({"train", "--solver", solver_, "--sighup_effect", "none"});
  EXPECT_TRUE(prints("images/s"));
  for (int i = 0; i < 2000; ++i) {
    kill(child, SIGHUP);
    std::this_thread::sleep_for(std::chrono::microseconds(300));
  }
  kill(child, SIGTERM);
  EXPECT_EQ(wait(child), kStopped) << output_;
  EXPECT_SAYS("stopped as asked");
}

// As in `train ... | tee log`, where Ctrl-C ends tee first.
TEST_F(ToolTest, SnapshotsThoughNobodyReadsWhatItPrints) {
  make_task(1000000);
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  fcntl(ends[0], F_SETFD, FD_CLOEXEC);
  const pid_t child = start({"train", "--solver", solver_, "--sighup_effect", "snapshot"}, ends[1]);
  close(ends[1]);
  std::string printed;
  char piece[256];
  while (printed.find("images/s") == std::string::npos) {
    const ssize_t bytes = read(ends[0], piece, sizeof(piece));
    ASSERT_GT(bytes, 0) << printed;
    printed.append(piece, static_cast<size_t>(bytes));
  }
  close(ends[0]);
  kill(child, SIGHUP);  // it prints that it made a snapshot, in vain
  const auto states = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      count += !entry.is_symlink() && entry.path().extension() == ".solverstate";
    return count;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (states() == 0 && std::chrono::steady_clock::now() < deadline)
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  kill(child, SIGINT);
  EXPECT_EQ(wait(child), kStopped) << output_;
  EXPECT_EQ(states(), 2);
}

// Two runs with one snapshot_prefix.
TEST_F(ToolTest, RefusesASecondTrainingOfOnePrefix) {
  make_task(1000000);
  const pid_t first = start({"train", "--solver", solver_});
  EXPECT_TRUE(prints("images/s"));
  EXPECT_EQ(run({"train", "--solver", solver_, "--overwrite"}), kFailed);
  EXPECT_SAYS("another training writes its snapshots there");
  kill(first, SIGKILL);
  wait(first);
  const pid_t second = start({"train", "--solver", solver_, "--overwrite"});
  EXPECT_TRUE(prints("images/s")) << "the lock outlived its holder";
  kill(second, SIGTERM);
  EXPECT_EQ(wait(second), kStopped) << output_;
}

// While a net of 20 million random numbers is built there is nothing to snapshot.
TEST_F(ToolTest, EndsAtOnceWhereItIsStoppedBeforeItTrains) {
  make_task(1000000);
  std::string net = read_file(net_);
  net.insert(net.find("layer { name: \"ip\""),
             "layer { name: \"large\" type: \"InnerProduct\" bottom: \"pool\" top: \"large\" "
             "inner_product_param { num_output: 80000 weight_filler { type: \"xavier\" } } }\n");
  file("net.prototxt", net);
  const pid_t child = start({"train", "--solver", solver_});
  const std::string status = text("/proc/", child, "/status");
  // Until SIGTERM (number 15, bit 14) is blocked: a thread waits for it.
  const auto listens = [&] {
    const std::string content = read_all(status);
    const size_t mask = content.find("SigBlk:");
    return mask != std::string::npos &&
           (std::stoull(content.substr(mask + 7), nullptr, 16) >> 14 & 1);
  };
  while (!listens()) std::this_thread::yield();
  kill(child, SIGTERM);
  EXPECT_EQ(wait(child), 128 + SIGTERM);
  EXPECT_EQ(output_, "");
}

// Its drafts wait for somebody to open the fifo.
TEST_F(ToolTest, AConversionThatIsEndedLeavesNothingBehind) {
  make_task(1);
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const std::string fifo = folder_ + "fifo.caffemodel";
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  setenv("TMPDIR", folder_.c_str(), 1);
  const auto drafts = [&] {
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder_))
      count += entry.path().filename().string().starts_with("unchecked.");
    return count;
  };
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    const pid_t child =
        start({"convert", "--model", net_, "--weights", folder_ + "snap_iter_1.caffemodel",
               "--output", folder_ + "deploy.prototxt", "--output_weights", fifo});
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    while (drafts() < 2 && std::chrono::steady_clock::now() < deadline)
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    kill(child, signal);
    EXPECT_EQ(wait(child), 128 + signal) << output_;
    EXPECT_EQ(drafts(), 0);
  }
  unsetenv("TMPDIR");
  EXPECT_FALSE(std::filesystem::exists(folder_ + "deploy.prototxt"));
}

TEST_F(ToolTest, WritesIntoDevicesAndThroughLinks) {
  make_task(1);
  ASSERT_EQ(run({"train", "--solver", solver_}), kDone) << output_;
  const std::string null = folder_ + "null", link = folder_ + "link.caffemodel";
  std::filesystem::create_symlink("/dev/null", null);
  std::filesystem::create_symlink("deploy.caffemodel", link);
  ASSERT_EQ(run({"convert", "--model", net_, "--weights", folder_ + "snap_iter_1.caffemodel",
                 "--output", null, "--output_weights", link}),
            kDone)
      << output_;
  EXPECT_TRUE(std::filesystem::is_symlink(null));
  EXPECT_TRUE(std::filesystem::is_symlink(link));
  EXPECT_TRUE(std::filesystem::is_regular_file(folder_ + "deploy.caffemodel"));
}

TEST_F(ToolTest, AReportIsNoPartOfAFileOnStandardOutput) {
  const std::string net = folder_ + "written.prototxt",
                    plain = source_file("models/resnet18/plain/train_val.prototxt");
  const int out = open(net.c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(wait(start({"reparam", "--style", "orepa", "--model", plain, "--output", "/dev/stdout"},
                       out)),
            kDone)
      << output_;
  close(out);
  EXPECT_SAYS("written: /dev/stdout");
  EXPECT_EQ(error_of([&] { NetSpec::read(net); }), "");
}

TEST_F(ToolTest, SignalsSnapshotAndStopAndTheRunGoesOn) {
  make_task(1000000);
  const pid_t child = start({"train", "--solver", solver_});
  EXPECT_TRUE(prints("images/s"));
  kill(child, SIGHUP);  // a snapshot, and on
  EXPECT_TRUE(prints(".solverstate")) << "SIGHUP made no snapshot";
  kill(child, SIGTERM);
  EXPECT_EQ(wait(child), kStopped) << output_;
  EXPECT_SAYS("stopped as asked");

  const pid_t resumed = start({"train", "--solver", solver_, "--snapshot", "auto"});
  EXPECT_TRUE(prints("images/s"));
  kill(resumed, SIGINT);
  EXPECT_EQ(wait(resumed), kStopped) << output_;
  EXPECT_SAYS("resumed from");
}

}  // namespace
}  // namespace orepa
